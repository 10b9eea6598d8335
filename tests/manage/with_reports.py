"""`manage.sh` of a product with a model in the database `reports`."""

from sqlalchemy import Column, Identity, Integer, Numeric, Table
from sqlmodel import SQLModel

from src.manage.__main__ import app

IDENTITY = Column("id", Integer, Identity(), primary_key=True)
Table("sales", SQLModel.metadata, IDENTITY, Column("amount", Numeric), info={"database": "reports"})

if __name__ == "__main__":
    app(prog_name="scripts/manage.sh")
