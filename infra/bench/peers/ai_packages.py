"""The plain package `openai`, or litellm's router, as its users have it; arguments: PEER URL CALLS CHARACTERS 0|1."""

from __future__ import annotations

import asyncio
import os
import sys

from ai_driven import MAX_TOKENS, MESSAGES, MODEL, drive


async def main() -> None:
    """Measure."""
    peer, url, calls, characters, streamed = sys.argv[1:]
    if peer == "openai_sdk":
        from openai import AsyncOpenAI  # noqa: PLC0415 - each peer has an environment of its own

        create = AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0).chat.completions.create
    else:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks GitHub for prices
        import litellm  # noqa: PLC0415
        from litellm import Router  # noqa: PLC0415

        litellm.suppress_debug_info = True
        given = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "sk-test"}
        router = Router(model_list=[{"model_name": MODEL, "litellm_params": given}], num_retries=0)
        create = router.acompletion
    asked = {"model": MODEL, "messages": MESSAGES, "max_tokens": MAX_TOKENS}

    async def whole() -> int:
        answer = await create(**asked)
        return len(answer.choices[0].message.content)

    async def chunks() -> int:
        stream = await create(**asked, stream=True, stream_options={"include_usage": True})
        found = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return len("".join(found))

    await drive(chunks if streamed == "1" else whole, int(calls), int(characters))


if __name__ == "__main__":
    asyncio.run(main())
