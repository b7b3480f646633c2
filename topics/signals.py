"""Topics of the signals domain: signals, and the deployments that give them."""

from tradewind.schemas.market import Heartbeat
from tradewind.schemas.signals import Deployment, DeploymentRefused, Signal
from tradewind.schemas.tenancy import Seeded
from tradewind.topics.keys import INSTRUMENT, deployment_key, instrument_key
from tradewind.topics.topic import KEEP_ALL, Topic

SIGNALS = Topic(
    name="signals.signals",
    model=Signal,
    also=(Heartbeat,),
    time_carrier=Heartbeat,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="signals",
    total="signals",
    producers=("signals",),
    consumers=("sizing",),
)
DEPLOYMENT_CHANGES = Topic(
    name="signals.deployments",
    model=Deployment,
    also=(Seeded,),
    key=deployment_key,
    owner="signals",
    producers=("tenancy",),
    consumers=("signals",),
    retention_bytes=KEEP_ALL,
    broadcast=True,
)
"""Each change goes to every partition, and is kept for ever: a task that begins reads all of them first."""
DEPLOYMENTS = Topic(
    name="signals.deployed",
    model=Deployment,
    key=deployment_key,
    owner="signals",
    producers=("tenancy",),
    consumers=(),
    cleanup="compact",
)
"""The newest revision of each deployment, for everything that is no agent."""
DEPLOYMENT_REFUSALS = Topic(
    name="signals.refusals",
    model=DeploymentRefused,
    key=deployment_key,
    owner="signals",
    producers=("tenancy",),
    consumers=(),
)
