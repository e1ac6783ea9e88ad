"""Registers Prefect's own blocks in its database, before several processes of its server start.

Each process registers them when it starts, and of two that do so in an empty database one fails.
"""

import asyncio

REGISTER_ON_START = "PREFECT_SERVER_REGISTER_BLOCKS_ON_START"
"""Prefect's setting that has each process of its server do this."""


async def _register() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    async with provide_database_interface().session_context() as session:
        await run_block_auto_registration(session=session)


if __name__ == "__main__":
    asyncio.run(_register())
