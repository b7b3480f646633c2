"""The AI domain's agent: requests become calls, and what came of them becomes responses."""

from tradewind.connectors.ai.prompt_files import prompts
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.processor import ai as ai_processor
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.streams.runtime import Agent
from tradewind.topics import (
    AI_ATTEMPTS,
    AI_CALLS,
    AI_REQUESTS,
    AI_RESPONSES,
    AI_SETTINGS,
    ALERTS,
    TENANT_CHANGES,
    USAGE,
    USAGE_THRESHOLDS,
)


def ai(settings: Settings) -> Agent:
    """Admit, route, reserve, and settle, by the tenants' limits and the settings of AI; a caller makes the calls."""
    return Agent(
        name="ai",
        inputs=(TENANT_CHANGES, USAGE_THRESHOLDS, AI_SETTINGS, AI_ATTEMPTS, AI_REQUESTS),
        outputs=(AI_CALLS, AI_RESPONSES, USAGE, ALERTS),
        processor=ai_processor(prompts(settings)),
        waits=waits_for_tenants,
    )
