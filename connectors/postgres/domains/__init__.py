"""Every domain that has tables in PostgreSQL: one module a domain.

To add a domain, write its module and name it in `DOMAINS`. `prepare` then creates the tables, and the sink fills them.
"""

from tradewind.connectors.postgres.domains.access import ACCESS
from tradewind.connectors.postgres.domains.ai import AI
from tradewind.connectors.postgres.domains.billing import BILLING
from tradewind.connectors.postgres.domains.cluster import CLUSTER
from tradewind.connectors.postgres.domains.execution import EXECUTION
from tradewind.connectors.postgres.domains.portfolio import PORTFOLIO
from tradewind.connectors.postgres.domains.risk import RISK
from tradewind.connectors.postgres.domains.sinks import SINKS
from tradewind.connectors.postgres.domains.tenancy import TENANCY
from tradewind.connectors.postgres.table import Domain

DOMAINS: tuple[Domain, ...] = (SINKS, CLUSTER, EXECUTION, RISK, PORTFOLIO, AI, BILLING, ACCESS, TENANCY)

__all__ = ["ACCESS", "AI", "BILLING", "CLUSTER", "DOMAINS", "EXECUTION", "PORTFOLIO", "RISK", "SINKS", "TENANCY"]
