"""How Faust's consumer reaches the cluster: what `Settings.librdkafka` is for the other clients."""

from __future__ import annotations

from typing import Any

from aiokafka.helpers import create_ssl_context

from tradewind.connectors.settings import Settings

ENCRYPTED = ("SSL", "SASL_SSL")


def consumer_connection(settings: Settings) -> dict[str, Any]:
    """Return the connection arguments of an aiokafka consumer; raises `ServiceNotConfigured` without a broker."""
    kafka = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap.split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol in ENCRYPTED:
        options["ssl_context"] = create_ssl_context(
            cafile=kafka.ca_file and str(kafka.ca_file),
            certfile=kafka.certificate_file and str(kafka.certificate_file),
            keyfile=kafka.key_file and str(kafka.key_file),
        )
    if kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = None if kafka.password is None else kafka.password.get_secret_value()
    return options
