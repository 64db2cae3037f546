"""The configuration section `mlflow`: records of runs in MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class MlflowConfig:
    """Where MLflow records runs. MLflow must be installed (`pip install 'darkroom-tfx[mlflow]'`).

    Attributes:
        tracking_uri: The address of a server, a database, or a folder; null records nothing. `${NAME}` is taken from the
            environment.
        experiment: The name of the experiment in MLflow; null takes the title.
    """

    tracking_uri: str | None = None
    experiment: str | None = None

    def __post_init__(self) -> None:
        """Refuse passwords, because configurations are written to files: raise ValueError, whose message has no password."""
        try:
            password = urlsplit(self.tracking_uri or "").password
        except ValueError:
            raise ValueError("mlflow.tracking_uri is neither an address nor a folder") from None
        if password and not (password.startswith("${") and password.endswith("}")):
            raise ValueError(
                "mlflow.tracking_uri has a password in it: leave it to MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                "or write ${NAME} in its place"
            )
