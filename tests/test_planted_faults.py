"""The list of planted faults keeps up with the sources; whether tests catch them takes ``python -m tests.faults``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import FAULTS, KERNEL_FAULTS, LANG_FAULTS
from tests.faults.faults import Fault
from tests.faults.stages import CLOSE, EVERYTHING, stages_of

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_still_applies(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    assert text.count(fault.old) == 1
    compile(text.replace(fault.old, fault.new), fault.file, "exec")


def test_there_are_enough_faults_and_no_name_twice() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert (len(FAULTS) >= 40, len(KERNEL_FAULTS) >= 20, len(LANG_FAULTS) >= 30) == (True, True, True)


def test_what_runs_first_is_there() -> None:
    names = {name for source, tests in CLOSE.items() for name in (source, *tests)}
    assert sorted(name for name in names if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("file", sorted({fault.file for fault in FAULTS}))
def test_the_tests_of_the_faulty_module_run_first_and_all_at_last(file: str) -> None:
    stages = stages_of(file, ROOT)
    assert stages[-1] is EVERYTHING
    same_name = ROOT / "tests" / Path(file).relative_to("stoffel").with_name(f"test_{Path(file).name}")
    if same_name.exists():
        assert stages[0].arguments[0] == str(same_name.relative_to(ROOT))
