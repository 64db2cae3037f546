"""What a schedule is to have of a configuration."""

from pipeline.config.loading import build_config
from pipeline.scheduling.job import variables


def test_the_variables_that_a_configuration_refers_to():
    values = {
        "notify": {"webhook": "https://hooks.example.com/${TEAM}/${KEY}"},
        "mlflow": {"tracking_uri": "https://me:${PASSWORD}@mlflow"},
        "metadata": {"host": "db", "password_env": "DB_PASSWORD"},
    }
    assert variables(build_config(values)) == {
        "TEAM": "notify.webhook",
        "KEY": "notify.webhook",
        "PASSWORD": "mlflow.tracking_uri",
        "DB_PASSWORD": "metadata.password_env",
    }
    assert variables(build_config({})) == {}, "a password is asked for only where there is a server"
