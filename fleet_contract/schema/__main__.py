"""`python -m fleet_contract.schema` writes the schema files anew."""

from __future__ import annotations

from fleet_contract.schema import write

if __name__ == "__main__":
    write()
