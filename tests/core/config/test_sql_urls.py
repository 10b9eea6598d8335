"""URLs as they are pasted from the pages of database providers."""

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from src.core.config.base import ConfigurationError
from src.core.config.sql import SQLSettings
from src.core.config.sql_urls import sql_url
from src.core.resources import Resources

# Provider, URL, user, port, and the TLS mode that asyncpg gets.
URLS = [
    (
        "Neon",
        "postgresql://alex:AbC123dEf@ep-cool-1234.eu.aws.neon.tech/dbname?sslmode=require&channel_binding=require",
        "alex",
        None,
        "require",
    ),
    (
        "Neon, pooled",
        "postgresql://alex:AbC@ep-cool-1-pooler.eu.aws.neon.tech/db?sslmode=require&pgbouncer=true&connect_timeout=15",
        "alex",
        None,
        "require",
    ),
    ("Supabase", "postgresql://postgres:pw@db.abcdefgh.supabase.co:5432/postgres", "postgres", 5432, None),
    (
        "Supabase, transaction pooler",
        "postgres://postgres.abcdefgh:p%40ss@aws-0-eu.pooler.supabase.com:6543/postgres?pgbouncer=true",
        "postgres.abcdefgh",
        6543,
        None,
    ),
    (
        "Supabase at Vercel",
        "postgres://postgres.abc:pw@aws-0-eu.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
        "postgres.abc",
        6543,
        "require",
    ),
    ("RDS", "postgresql://admin:pw@mydb.123.us-east-1.rds.amazonaws.com:5432/mydb", "admin", 5432, None),
    (
        "RDS with TLS",
        "postgresql://admin:pw@mydb.123.us-east-1.rds.amazonaws.com:5432/mydb?sslmode=verify-full&sslrootcert=/etc/hosts",
        "admin",
        5432,
        "verify-full",
    ),
    ("Heroku", "postgres://uabc:pdef@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1234", "uabc", 5432, None),
    (
        "Heroku, node",
        "postgres://uabc:pdef@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1234?sslmode=no-verify",
        "uabc",
        5432,
        "require",
    ),
    ("Render", "postgresql://app_user:pw@dpg-abc123-a.oregon-postgres.render.com/app_db", "app_user", None, None),
    ("Render, internal", "postgres://app_user:pw@dpg-abc123-a/app_db", "app_user", None, None),
    (
        "DigitalOcean",
        "postgresql://doadmin:AVNS_x@db-1-do-user-1-0.b.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
        "doadmin",
        25060,
        "require",
    ),
    (
        "DigitalOcean, pool",
        "postgres://doadmin:AVNS_x@db-1-do-user-1-0.b.db.ondigitalocean.com:25061/pool?sslmode=require",
        "doadmin",
        25061,
        "require",
    ),
    (
        "Aiven",
        "postgres://avnadmin:pw@pg-1-project.aivencloud.com:12691/defaultdb?sslmode=require",
        "avnadmin",
        12691,
        "require",
    ),
    (
        "Azure",
        "postgresql://admin%40server:pw@server.postgres.database.azure.com:5432/postgres?sslmode=require",
        "admin@server",
        5432,
        "require",
    ),
    (
        "Fly",
        "postgres://postgres:pw@top2.nearest.of.app.internal:5432/app?sslmode=disable",
        "postgres",
        5432,
        "disable",
    ),
    ("Railway", "postgresql://postgres:pw@containers-us-west-1.railway.app:7432/railway\n", "postgres", 7432, None),
    (
        "Timescale",
        "postgres://tsdbadmin:pw@x1.y2.tsdb.timescale.com:34567/tsdb?sslmode=require&application_name=app",
        "tsdbadmin",
        34567,
        "require",
    ),
    (
        "Crunchy Bridge",
        "postgres://application:pw@p.abc.db.postgresbridge.com:5432/postgres?keepalives=1&target_session_attrs=any",
        "application",
        5432,
        None,
    ),
    (
        "Prisma",
        "postgresql://user:pw@host:5432/db?schema=public&connection_limit=5&pool_timeout=10",
        "user",
        5432,
        None,
    ),
    ("SQLAlchemy", "postgresql+asyncpg://user:pw@host/db?ssl=require", "user", None, "require"),
    ("Cloud SQL", "postgresql://app:pw@/app?host=/cloudsql/project:region:db", "app", None, None),
    (
        "SQLAlchemy, psycopg",
        "postgresql+psycopg2://user:pw@host/db?sslmode=prefer&gssencmode=disable",
        "user",
        None,
        "prefer",
    ),
]


def mode_of(url: URL) -> str | None:
    parameters = str(url.query.get("dsn", "")).partition("?")[2].split("&")
    return next((value for name, _, value in (item.partition("=") for item in parameters) if name == "sslmode"), None)


@pytest.mark.unit
@pytest.mark.parametrize(("pasted", "user", "port", "mode"), [row[1:] for row in URLS], ids=[row[0] for row in URLS])
def test_a_pasted_url_is_understood(pasted: str, user: str, port: int | None, mode: str | None) -> None:
    url = SQLSettings(SQL_DATABASE_URL=SecretStr(pasted)).url
    assert (url.drivername, url.username, url.port, mode_of(url)) == ("postgresql+asyncpg", user, port, mode)
    again = SQLSettings(SQL_DATABASE_URL=SecretStr(url.render_as_string(hide_password=False))).url
    assert again == url


@pytest.mark.parametrize("pasted", [row[1] for row in URLS], ids=[row[0] for row in URLS])
async def test_its_options_are_accepted(resources: Resources, pasted: str) -> None:
    """By asyncpg and the server; TLS is what only the provider's has."""
    server = resources.settings.sql.url
    for mode in ("require", "no-verify", "verify-full"):
        pasted = pasted.replace(f"sslmode={mode}", "sslmode=prefer").replace(f"ssl={mode}", "ssl=prefer")
    pasted = pasted.replace("&sslrootcert=/etc/hosts", "")
    url = sql_url("X", SecretStr(pasted.replace("?host=/cloudsql/project:region:db", ""))).set(
        host=server.host, port=server.port, username=server.username, password=server.password, database=server.database
    )
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


@pytest.mark.parametrize("option", ["sslmode=require", "ssl=true", "sslmode=no-verify", "sslmode=verify-full"])
async def test_tls_is_demanded(resources: Resources, option: str) -> None:
    """From a server that has none."""
    server = resources.settings.sql.url.render_as_string(hide_password=False)
    engine = create_async_engine(sql_url("X", SecretStr(f"{server}?{option}")), poolclass=NullPool)
    with pytest.raises(ConnectionError, match="SSL"):
        _ = await engine.connect().start()
    await engine.dispose()


@pytest.mark.unit
@pytest.mark.parametrize("url", ["sqlite:///x", "nonsense", "postgresql://u:p@h:port/d"])
def test_another_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SQL_DATABASE_URL"):
        _ = SQLSettings(SQL_DATABASE_URL=SecretStr(url)).url
