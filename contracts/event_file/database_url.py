"""Build the URL of an event's database from RAMP's `sqlalchemy` section or from `database_url`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from contracts.event_values import Count, fault

_DRIVER = re.compile(r"(sqlite|postgresql)(\+[a-z0-9_]+)?")


def _driver(value: str) -> str:
    if not _DRIVER.fullmatch(value):
        raise fault("is not a database Rampart works with", "write postgresql or sqlite")
    return value


class SqlAlchemy(BaseModel):
    """Section `sqlalchemy` of RAMP's deployment configuration; numbers stand for text, as SQLAlchemy takes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    drivername: Annotated[str, AfterValidator(_driver)]
    username: str | None = None
    password: SecretStr | None = None
    host: str | None = None
    port: Count | None = Field(default=None, ge=1, le=65535)
    database: Annotated[str, Field(min_length=1)]


def from_section(section: SqlAlchemy, deployment: Path) -> SecretStr:
    """Make the URL; user, password and socket folder are percent-encoded, an SQLite file starts from `deployment`."""
    if section.drivername.startswith("sqlite"):
        return SecretStr(f"{section.drivername}:///{_in_url(deployment / section.database)}")
    user = quote(section.username or "", safe="")
    if section.password is not None:
        user += ":" + quote(section.password.get_secret_value(), safe="")
    host, query = section.host or "", ""
    if host.startswith("/"):
        host, query = "", f"?host={quote(host, safe='')}"
    elif ":" in host:
        host = f"[{host.strip('[]')}]"
    port = f":{section.port}" if section.port else ""
    at = f"{user}@" if user else ""
    return SecretStr(f"{section.drivername}://{at}{host}{port}/{quote(section.database, safe='')}{query}")


def from_url(url: str, deployment: Path) -> SecretStr:
    """Check a URL an organiser wrote; a relative SQLite file starts from `deployment`. The text is never repeated."""
    driver, separator, rest = url.partition("://")
    if driver == "postgres":
        raise fault("begins with postgres://, which SQLAlchemy does not know", "begin it with postgresql://")
    if not separator or not _DRIVER.fullmatch(driver):
        raise fault(
            "is not the URL of a database Rampart works with",
            "write postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE",
        )
    if driver.startswith("postgresql"):
        if not re.search(r"[^/?]/[^/?]|^/[^/?]", rest):
            raise fault("names no database", "write postgresql://USER:PASSWORD@HOST/DATABASE")
        return SecretStr(url)
    file = rest.removeprefix("/")
    if file in ("", ":memory:") or not rest.startswith("/"):
        raise fault("names no file, so that everything would be lost at the end", "write sqlite:///FILE")
    return SecretStr(f"{driver}:///{file if file.startswith('/') else f'{_in_url(deployment)}/{file}'}")


def embedded(state_root: Path, event: str) -> SecretStr:
    """Give the URL of the database Rampart makes itself where no other is named."""
    return SecretStr(f"sqlite:///{_in_url(state_root / f'{event}.db')}")


def _in_url(path: Path) -> str:
    """Only what would end or change the path is encoded: SQLAlchemy before 2.1 decodes nothing there."""
    return str(path).replace("%", "%25").replace("?", "%3F")
