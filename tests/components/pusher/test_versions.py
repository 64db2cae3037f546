"""Which versions there are, and whether a model is the one in service."""

import shutil

from components.pusher.versions import in_service, versions


def test_in_service(tmp_path):
    model, base = tmp_path / "model", tmp_path / "serving"
    (model / "variables").mkdir(parents=True)
    (model / "variables" / "data").write_bytes(b"weights")
    assert in_service(model, base) is None
    shutil.copytree(model, base / "1")
    assert in_service(model, base) == base / "1"
    shutil.copytree(model, base / "10")
    assert in_service(model, base) == base / "10"
    (base / "10" / "variables" / "data").write_bytes(b"Weights")
    assert versions(base) == [1, 10]
    assert in_service(model, base) is None, "the highest version counts"
    (base / "10" / "more").touch()
    assert in_service(model, base) is None
