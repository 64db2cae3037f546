"""A web service that draws new pictures from a pushed model: http://127.0.0.1:8000/new.png?seed=7&count=16.

Run: WORK=my-model uvicorn --app-dir docs/examples service:app
"""

import io
import os
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from fastapi import FastAPI, HTTPException, Query, Response

from common.errors import InputError
from serving.grids import tile
from serving.pushed import PushedModel, find_model

app = FastAPI(title="Darkroom")
model = PushedModel(find_model(work=os.environ["WORK"]))


@app.get("/")
def about() -> dict:
    """Say which model this is."""
    return {"version": model.path.name, "image_shape": model.image_shape, "latent_dim": model.latent_dim}


@app.get("/new.png")
def new(
    seed: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    count: Annotated[int, Query(ge=1, le=64)] = 16,
    temperature: Annotated[float, Query(ge=0, le=2)] = 1.0,
    label: str | None = None,
) -> Response:
    """Return a sheet of new pictures as PNG. The same seed gives the same pictures."""
    try:
        images = model.generate(count, seed, temperature, label)
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    buffer = io.BytesIO()
    tile(images).save(buffer, "PNG")
    return Response(buffer.getvalue(), media_type="image/png")
