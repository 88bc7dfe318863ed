"""Used by tools/python/build, which makes the wheel."""

import os

from setuptools import setup

setup(
    name="saker",
    version=os.environ["SAKER_VERSION"],
    description="Read and write the data of a saker mesh",
    license="MPL-2.0",
    packages=["saker"],
    package_data={"saker": ["py.typed"]},
    python_requires=">=3.8",
)
