"""The few tables that this stand-in reads.

The models say what the newest release has. Which of it a database has already is looked up
before anything is read: see show_personality.
"""

from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Identity, Numeric, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Character(Base):
    __tablename__ = "characters"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    normalized_name: Mapped[str] = mapped_column(Text, unique=True)
    occupation: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool]

    # since v1.0.24
    emoji_frequency: Mapped[str] = mapped_column(Text)
    emoji_style: Mapped[str] = mapped_column(Text)
    emoji_combination: Mapped[str] = mapped_column(Text)
    emoji_placement: Mapped[str] = mapped_column(Text)
    emoji_age_demographic: Mapped[str] = mapped_column(Text)
    emoji_cultural_influence: Mapped[str] = mapped_column(Text)

    traits: Mapped[list["PersonalityTrait"]] = relationship(back_populates="character")


class PersonalityTrait(Base):
    """Since v1.0.28."""

    __tablename__ = "personality_traits"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    character_id: Mapped[int] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    trait_name: Mapped[str] = mapped_column(Text)
    trait_value: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    intensity: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)

    character: Mapped[Character] = relationship(back_populates="traits")
