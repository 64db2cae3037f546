"""The information in a code, and its cost."""

from __future__ import annotations

from components.report.data import ReportData
from components.report.drawing.wording import count, nats, number, significant
from components.report.sections.layout import Section, note, table


def code(report: ReportData) -> Section:
    """Return active units, information, rate and distortion."""
    facts, dimensions = report.model.code, report.model.latent_dim
    rows = []
    if facts.active_units is not None:
        rows.append(("latent dimensions in use", f"{facts.active_units} of {dimensions}"))
    if facts.mutual_information is not None:
        rows.append(("what the code tells of its picture, I(x; z)", f"{nats(facts.mutual_information)} nats"))
        rows.append(("how far all codes together are from the prior", f"{nats(facts.marginal_kl)} nats"))
    if facts.bits is not None:
        per_pixel = f"{significant(facts.bits_per_pixel)} bits per pixel"
        rows.append(("rate: a code at the model's precision", f"{number(facts.bits)} bits, {per_pixel}"))
        rows.append(("distortion: pictures rebuilt from such codes", f"{facts.rounded_psnr:.1f} dB"))
    if facts.psnr is not None:
        rows.append(("pictures rebuilt from exact codes", f"{facts.psnr:.1f} dB"))
    if facts.bits_per_dimension is not None:
        rows.append(("a picture without any loss", f"{facts.bits_per_dimension:.3f} bits per dimension"))
    limit = f" (estimated on {count(facts.pictures, 'picture')})" if facts.pictures else ""
    return Section(
        "code",
        "Code",
        "What a code tells, and what it costs",
        f"A dimension is in use if its codes differ between pictures. I(x; z){limit} and the distance of all codes from the prior "
        "add up to the KL divergence. Rounding a code as coarsely as the model knows it makes it short: decibels tell what is "
        "lost (peak signal-to-noise ratio; the higher, the nearer).",
        table(("", ""), rows) if rows else note("The trainer recorded none of this."),
    )
