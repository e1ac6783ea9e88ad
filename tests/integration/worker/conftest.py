"""Tests of workers reconcile what no hook recorded."""

import pytest

from tests.support.prefect import PrefectServer


@pytest.fixture(scope="session")
def server(reconciling_server: PrefectServer) -> PrefectServer:
    return reconciling_server
