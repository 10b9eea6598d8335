"""Write the product's AsyncAPI document where its test compares it: python -m scripts.asyncapi."""

import json
import os
from pathlib import Path

SNAPSHOT = Path(__file__).resolve().parents[1] / "tests/websockets/asyncapi/asyncapi.json"
# The application wants to know its stores, and contacts none of them for this.
NOWHERE = {
    "ENVIRONMENT": "TESTING",
    "SQL_DATABASE_URL": "postgresql+asyncpg://nobody@localhost/nowhere",
    "REDIS_DATABASE_URL": "redis://localhost/0",
    "MONGO_DATABASE_URL": "mongodb://localhost/nowhere",
    "MINIO_ENDPOINT": "http://localhost",
}


def product_document() -> str:
    """The document, as the file has it."""
    from src.core.config import settings
    from src.main import server
    from src.websockets.app import describe

    return json.dumps(describe(server, settings), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    os.environ.update(NOWHERE)
    SNAPSHOT.write_text(product_document())
