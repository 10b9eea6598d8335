from typing import ClassVar

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.schedule import Schedule


class ScheduleCRUD(BaseSQLModelCRUD[Schedule]):
    """Schedules."""

    model: ClassVar[type[Schedule]] = Schedule
