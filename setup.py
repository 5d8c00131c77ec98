"""The pack's folder is `scheduler/`; an installed copy is the package `stepdistill`, because the name
`scheduler` belongs to another distribution. Everything else stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    package_dir={"stepdistill": "scheduler"},
    packages=["stepdistill", *(f"stepdistill.{name}" for name in find_packages("scheduler"))],
)
