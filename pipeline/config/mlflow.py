"""What a person may set about keeping a record of runs in MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class MlflowConfig:
    """Where MLflow keeps a record of runs; it has to be installed (`pip install 'darkroom-tfx[mlflow]'`).

    Attributes:
        tracking_uri: A server's address, a database, or a folder; null keeps none. `${NAME}` is taken from the environment.
        experiment: The experiment's name there; null takes the title.
    """

    tracking_uri: str | None = None
    experiment: str | None = None

    def __post_init__(self) -> None:
        """Keeps passwords out of configurations, which are written down.

        Raises:
            ValueError: There is one in the address, or it is none; without the password.
        """
        try:
            password = urlsplit(self.tracking_uri or "").password
        except ValueError:
            raise ValueError("mlflow.tracking_uri is neither an address nor a folder") from None
        if password and not (password.startswith("${") and password.endswith("}")):
            raise ValueError(
                "mlflow.tracking_uri has a password in it: leave it to MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                "or write ${NAME} in its place"
            )
