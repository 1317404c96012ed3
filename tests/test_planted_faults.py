"""The list of planted faults keeps up with the sources; whether tests catch them takes ``python -m tests.faults``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import FAULTS, KERNEL_FAULTS
from tests.faults.faults import Fault

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_still_applies(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    assert text.count(fault.old) == 1
    compile(text.replace(fault.old, fault.new), fault.file, "exec")


def test_there_are_enough_faults_and_no_name_twice() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert (len(FAULTS) >= 40, len(KERNEL_FAULTS) >= 20) == (True, True)
