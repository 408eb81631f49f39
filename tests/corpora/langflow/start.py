"""What langflow does with its database when it starts."""

import asyncio

from langflow.services.database.utils import initialize_database
from langflow.services.utils import initialize_settings_service


async def main() -> None:
    initialize_settings_service()
    await initialize_database()


asyncio.run(main())
