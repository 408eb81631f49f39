"""Print a character's personality: ``python -m whisperengine.show_personality``.

It stands in for the bot process. It works on every database from v1.0.6 on, and says which
parts of a personality an older one doesn't have yet.
"""

import argparse
import os
import sys

from sqlalchemy import URL, Connection, create_engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from whisperengine.models import Character, PersonalityTrait


def database_url() -> URL:
    return URL.create(
        "postgresql+psycopg",
        username=os.environ.get("POSTGRES_USER", "whisperengine"),
        password=os.environ.get("POSTGRES_PASSWORD"),
        host=os.environ.get("POSTGRES_HOST", "localhost"),
        port=int(os.environ.get("POSTGRES_PORT", "5432")),
        database=os.environ.get("POSTGRES_DB", "whisperengine"),
    )


def describe(connection: Connection, normalized_name: str) -> list[str] | None:
    """The lines to print, or None if there is no such character."""
    inspector = inspect(connection)
    if not inspector.has_table(Character.__tablename__):
        return None
    there = {column["name"] for column in inspector.get_columns("characters")}
    known = [column for column in Character.__table__.columns if column.name in there]
    character = (
        connection.execute(select(*known).where(Character.normalized_name == normalized_name))
        .mappings()
        .one_or_none()
    )
    if character is None:
        return None

    emoji = {
        column.name: character[column.name] for column in known if column.name.startswith("emoji_")
    }
    lines = aligned({"name": character["name"], "occupation": character["occupation"] or "-"})

    lines += ["", "emoji"]
    if emoji:
        lines += indented(
            aligned({column.removeprefix("emoji_"): value for column, value in emoji.items()})
        )
    else:
        lines += ["  This database has no emoji settings yet; they come with v1.0.24."]

    lines += ["", "traits"]
    if not inspector.has_table(PersonalityTrait.__tablename__):
        return [*lines, "  This database has no personality traits yet; they come with v1.0.28."]
    traits = connection.execute(
        select(PersonalityTrait.trait_name, PersonalityTrait.trait_value)
        .where(PersonalityTrait.character_id == character["id"])
        .order_by(PersonalityTrait.id)
    ).all()
    if not traits:
        return [*lines, "  No traits yet."]
    return lines + indented(aligned({trait.trait_name: trait.trait_value for trait in traits}))


def aligned(pairs: dict[str, object]) -> list[str]:
    width = max(map(len, pairs)) + 2
    return [f"{key:<{width}}{value}" for key, value in pairs.items()]


def indented(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m whisperengine.show_personality",
        description="Print a character's personality.",
    )
    parser.add_argument("--character", default="assistant", help="its normalized name")
    options = parser.parse_args(arguments)

    engine = create_engine(database_url())
    try:
        with engine.connect() as connection:
            lines = describe(connection, options.character)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        print(f"The database can't be read: {cause}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()

    if lines is None:
        print(f"There is no character {options.character!r} in this database.", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
