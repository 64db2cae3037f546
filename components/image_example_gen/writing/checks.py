"""Check that enough pictures were read to continue; each check may end the run with a message."""

from __future__ import annotations

from common.errors import GateRefused, InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.splits import SPLITS, SplitRule
from components.image_example_gen.storage.files import printable
from components.image_example_gen.writing.tally import Tally

Rejects = list[dict[str, str]]


def check_read(total: Tally, sources: Sources, config: DataConfig, rejects: Rejects) -> None:
    """Raise InputError if no picture could be read or the label file names none, GateRefused if too many were rejected."""
    where = printable(sources.folder)
    if total.mistake:
        raise InputError(total.mistake, rejects)
    seen = total.accepted + total.rejected
    if seen and not total.accepted:
        raise InputError(f"all {seen:,} pictures of {where} were refused: {_commonest(total)}", rejects)
    if total.rejected > config.max_rejects * seen:
        allowed = f"data.max_rejects allows {config.max_rejects:.0%}"
        reason = f"{total.rejected:,} of {seen:,} pictures in {where} were refused, {allowed}: {_commonest(total)}"
        raise GateRefused("data", [reason], rejects)
    if config.label_file and not total.found:
        such = f", such as {printable(sources.sample[0])}" if sources.sample else ""
        mistake = f"the label file {printable(config.label_file)} names none of the pictures in {where}"
        raise InputError(f"{mistake}: its paths must be relative to that folder{such}")


def copies_of_a_few(total: Tally, rule: SplitRule) -> bool:
    """Return whether a share took no picture although it should by chance (in all but one of 150 cases)."""
    pictures = sum(total.pictures(split) for split in SPLITS if split == "train" or rule.expected(split, 1))
    return any(not total.pictures(split) and rule.expected(split, pictures) >= 5 for split in SPLITS)


def refuse_copies(total: Tally, distinct: int, sources: Sources, rejects: Rejects) -> None:
    """Raise GateRefused, because pictures are nearly all copies: a model would be evaluated on its own training pictures."""
    exposure, count = total.exposures.most_common(1)[0]
    like = f", {count / total.accepted:.0%} of them {exposure}" if exposure != "usual" else ""
    reason = (
        f"nearly all of the {total.accepted:,} pictures in {printable(sources.folder)} are copies: only {distinct:,} differ{like}; "
        "data.keep_duplicates=true trains on them all the same"
    )
    raise GateRefused("data", [reason], rejects)


def check_splits(total: Tally, sources: Sources, config: DataConfig, rejects: Rejects) -> None:
    """Raise InputError if a split is empty."""
    where = printable(sources.folder)
    shares = {"eval": config.eval_share, "test": config.test_share}
    own_splits = sources.own_splits if config.heeds_splits else ()
    for split in SPLITS:
        if total.pictures(split):
            continue
        if split in own_splits or split == "train":
            reason = f"refused were {_commonest(total)}" if rejects else _elsewhere(total)
            if total.duplicates:
                reason = f"{total.duplicates:,} were left out, for another split has the same ones"
            raise InputError(f"no picture is left for the split {split!r} of {where}: {reason}", rejects)
        if shares[split]:
            copies = f", of which {total.duplicates:,} are copies of others" if total.duplicates else ""
            mistake = f"the split {split!r} is empty: a share of {shares[split]:g} of the pictures in {where}{copies} took none"
            raise InputError(f"{mistake}; add pictures, raise data.{split}_share, or make a folder {split!r}", rejects)


def _elsewhere(total: Tally) -> str:
    """Describe the splits that have the pictures if one split has none, with advice."""
    others = " and ".join(f"{total.pictures(split):,} went to {split}" for split in SPLITS if total.pictures(split))
    return f"of {total.accepted:,} in all, {others}; add pictures"


def _commonest(total: Tally) -> str:
    """Return the most common reasons of rejects."""
    return ", ".join(f"{count:,} x {reason}" for reason, count in total.reasons.most_common(3))
