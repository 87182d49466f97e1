"""racadm's output, read. Each transcript says where its form is known from.

``guide``: public how-tos and repositories that print what an iDRAC answered to them.
``lab``: the virtual iDRAC. ``notes``: the project's field notes, section 9.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriovctl.bmc import transcript
from sriovctl.bmc.transcript import Value
from sriovctl.firmware import BIOS, JobState

SET_WRAPPED = (
    "[Key=BIOS.Setup.1-1#StorageSettings]\r\n"
    "RAC1017: Successfully modified the object value and the change is in\r\n"
    "         pending state.\r\n"
)
"""guide: an iDRAC8's shell."""

SET_LONG = (
    "[Key=BIOS.Setup.1-1#ProcSettings]                                            \r\r\n"
    "RAC1017: Successfully modified the object value and the change is in \r\r\n"
    "       pending state.\r\r\n"
    "       To apply modified value, create a configuration job and reboot \r\r\n"
    '       the system. To create the commit and reboot jobs, use "jobqueue" \r\r\n'
    '       command. For more information about the "jobqueue" command, see RACADM \r\r\n'
    "       help.\r\r\n"
)
"""notes and guide: an iDRAC through a terminal, CR twice, blanks at the ends."""

CREATED = (
    "RAC1024: Successfully scheduled a job.                                       \n"
    'Verify the job status using "racadm jobqueue view -i JID_xxxxx" command.\n'
    "Commit JID = JID_123456789012\n"
    "Reboot Required = Yes\n"
)
"""guide."""

CREATED_REBOOT = (
    "RAC1024: Successfully scheduled a job.\r\n"
    'Verify the job status using "racadm jobqueue view -i JID_xxxxx" command.\r\n'
    "Commit JID = JID_782384188487\r\nReboot JID = RID_782384191517\r\n"
)
"""guide: with ``-r forced``."""

QUEUE = """\
-------------------------JOB QUEUE------------------------
[Job ID=JID_782384188487]
Job Name=Configure: BIOS.Setup.1-1
Status=Scheduled
Start Time=[Now]
Expiration Time=[Not Applicable]
Message=[JCP001: Task successfully scheduled.]
Percent Complete=[0]
----------------------------------------------------------
[Job ID=RID_782384191517]
Job Name=Reboot3
Status=Reboot Completed
Start Time=[Now]
Expiration Time=[Not Applicable]
Message=[RED030: Reboot is complete.]
Percent Complete=[100]
----------------------------------------------------------
[Job ID=JID_782384188490]
Job Name=Configure: NIC.Integrated.1-1-1
Status=Failed
Start Time=[Not Applicable]
Expiration Time=[Not Applicable]
Message=[PR21: Job failed.]
Percent Complete=[100]
----------------------------------------------------------
"""
"""guide: the first; the others have their form from Dell's racadm guide."""

REFUSALS = [
    ("ERROR: RAC947: Invalid object value specified.\r\n", "RAC947"),  # notes, lab
    ("ERROR: RAC1155: Unable to complete the operation because Lifecycle Controller is\r\n"
     "                disabled.\r\n", "RAC1155"),  # notes, wording of the lab
    ("ERROR: RAC0218: The maximum number of user sessions is reached.\n", "RAC0218"),  # notes
    ("ERROR: RED023: Lifecycle Controller in use. This job will start when Lifecycle\r\n"
     "               Controller is available.\r\n", "RED023"),  # notes, wording of the lab
    ("ERROR: SYS011: Pending configuration values are already committed, unable to\r\n"
     "               perform another set operation.\r\n", "SYS011"),  # lab
    ("ERROR: RAC917: Invalid group or object name: BIOS.X\r\n", "RAC917"),  # lab
    ("RAC916 : Invalid object name specified.\n", "RAC916"),  # form: blank before the colon
]  # fmt: skip


@pytest.mark.parametrize("text", [SET_WRAPPED, SET_LONG])
def test_a_pending_set(text: str) -> None:
    assert transcript.message_ids(text) == ("RAC1017",)
    assert transcript.refusal(text) is None
    assert any("is in pending state." in line for line in transcript.lines(text))


@pytest.mark.parametrize(("text", "job"), [(CREATED, "789012"), (CREATED_REBOOT, "188487")])
def test_a_job_made(text: str, job: str) -> None:
    assert transcript.message_ids(text) == ("RAC1024",)
    assert transcript.refusal(text) is None
    found = transcript.job_id(text)
    assert found is not None
    assert found.endswith(job)


@pytest.mark.parametrize(("text", "code"), REFUSALS)
def test_a_refusal(text: str, code: str) -> None:
    assert transcript.message_ids(text) == (code,)
    said = transcript.refusal(text)
    assert said is not None
    assert said.startswith(code)
    assert "\n" not in said
    assert transcript.group(text) is None


def test_values() -> None:
    text = (
        "[Key=BIOS.Setup.1-1#ProcSettings]\r\n"
        "ControlledTurbo=Disabled (Pending Value=Enabled)\r\n"  # guide
        "#ProcCoreSpeed=2.60 GHz\r\n"  # guide: # before what cannot be set
        "LogicalProc=Enabled\r\n"
        "!!SetupPassword=******** (Write-Only)\r\n"
        "AssetTag= (Pending Value=PASS:12345)\r\n"  # guide: from nothing
        "Proc1Brand=Intel(R) Xeon(R) CPU\r\n"
    )
    found = transcript.group(text)
    assert found is not None
    assert (found.target, found.group) == ("BIOS.Setup.1-1", "ProcSettings")
    assert found.values == {
        "ControlledTurbo": Value(value="Disabled", pending="Enabled"),
        "ProcCoreSpeed": Value(value="2.60 GHz", read_only=True),
        "LogicalProc": Value(value="Enabled"),
        "AssetTag": Value(value="", pending="PASS:12345"),
        "Proc1Brand": Value(value="Intel(R) Xeon(R) CPU"),
    }


def test_a_queue() -> None:
    found = transcript.jobs(QUEUE.replace("\n", "\r\n"))
    assert found is not None
    assert [(j.id, j.state, j.device) for j in found] == [
        ("JID_782384188487", JobState.SCHEDULED, BIOS),
        ("JID_782384188490", JobState.FAILED, "NIC.Integrated.1-1-1"),
        ("RID_782384191517", JobState.DONE, None),
    ]
    assert found[1].message == "PR21: Job failed."
    # a job's own message is no answer of the command
    assert transcript.message_ids(QUEUE) == ()
    assert transcript.refusal(QUEUE) is None


def test_an_empty_queue_and_none() -> None:
    empty = "-------------------------JOB QUEUE------------------------\n"
    assert transcript.jobs(empty) == ()
    assert transcript.jobs("") is None
    assert transcript.jobs("ERROR: RAC0218: no\n") is None


@pytest.mark.parametrize("status", ["Running", "Waiting", "Pausing", "something new"])
def test_a_state_that_is_not_known_is_under_way(status: str) -> None:
    found = transcript.jobs(QUEUE.replace("Scheduled", status))
    assert found is not None
    assert found[0].state is JobState.RUNNING


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("Server power status: ON\r\n", "on"),  # guide, lab
        ("Server power status: OFF\n", "off"),
        ("ERROR: no\n", None),
        ("", None),
    ],
)
def test_power(text: str, power: str | None) -> None:
    assert transcript.power(text) == power


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("Server power operation successful\r\n", True),  # guide, lab
        ("Server power operation initiated successfully\n", True),  # guide, newer firmware
        ("Server power operation unsuccessful\n", False),
        ("ERROR: Unable to perform the requested server power operation.\n", False),  # lab
        ("", False),
    ],
)
def test_an_order(text: str, done: bool) -> None:
    assert transcript.ordered(text) is done


def test_ports() -> None:
    text = (
        "NIC.DeviceLevelConfig.1 [Key=NIC.Integrated.1-1-1#DeviceLevelConfig]\r\n"
        "NIC.DeviceLevelConfig.2 [Key=NIC.Integrated.1-2-1#DeviceLevelConfig]\r\n"
    )  # guide, lab
    assert transcript.ports(text) == {
        "NIC.Integrated.1-1-1": "NIC.DeviceLevelConfig.1",
        "NIC.Integrated.1-2-1": "NIC.DeviceLevelConfig.2",
    }


def test_facts() -> None:
    text = (
        "\r\nRAC Information:\r\nFirmware Version        = 2.86.86.86\r\n\r\n"
        "System Information:\r\nSystem Model            = PowerEdge R730\r\n"
        "Host Name               = \r\nPower Status            = ON\r\n"
    )  # guide, lab
    facts = transcript.facts(text)
    assert facts["System Model"] == "PowerEdge R730"
    assert (facts["Firmware Version"], facts["Host Name"]) == ("2.86.86.86", "")


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    transcript.group(text)
    transcript.jobs(text)
    transcript.refusal(text)
    transcript.power(text)
    assert "\r" not in "".join(transcript.lines(text))


@given(st.sampled_from([SET_WRAPPED, CREATED, QUEUE]), st.integers(0, 400))
def test_half_an_answer_is_no_success_of_another_kind(text: str, cut: int) -> None:
    ids = transcript.message_ids(text[:cut])
    assert set(ids) <= set(transcript.message_ids(text))
