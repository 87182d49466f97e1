"""What an iDRAC says: its message ids with text, resolution and HTTP status. Data only.

The wording is the project's own after the public one; only ids are to be relied on. Ids that
nobody confirmed are listed in docs/lab-bmc.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One entry of iDRAC's message registry; ``%1`` stands for the first argument."""

    text: str
    resolution: str = "No response action is required."
    severity: str = "Warning"
    status: int = 400
    """HTTP status of an answer that has it as its error."""


class RefusedError(Exception):
    """The iDRAC does not do what it was asked.

    :param code: an id of :data:`MESSAGES`
    :param arguments: for ``%1``, ``%2`` of its text
    :param attribute: the BIOS attribute that it is about
    """

    def __init__(self, code: str, *arguments: str, attribute: str | None = None) -> None:
        super().__init__(f"{code}: {text(code, *arguments)}")
        self.code = code
        self.arguments = arguments
        self.attribute = attribute


def text(code: str, *arguments: str) -> str:
    """The sentence of a message id, arguments filled in."""
    sentence = MESSAGES[code].text
    for number, argument in enumerate(arguments, start=1):
        sentence = sentence.replace(f"%{number}", argument)
    return sentence


_RETRY = "Wait for a few minutes and retry the operation."
_SEE_GUIDE = "Correct the request and retry the operation."
_WAIT_FOR_JOB = (
    "Wait for the scheduled job to complete, or delete the configuration jobs, "
    "before setting more attributes."
)

MESSAGES: dict[str, Message] = {
    # Redfish
    "SYS011": Message(
        "Pending configuration values are already committed, unable to perform another set "
        "operation.",
        _WAIT_FOR_JOB,
    ),
    "SYS400": Message(
        "Unable to complete the operation because the resource was changed since it was read.",
        "Read the resource again and retry with its ETag.",
        status=412,
    ),
    "SYS401": Message(
        "Unable to complete the operation because the Content-Type of the request is not "
        "supported.",
        "Send application/json.",
        status=415,
    ),
    "SYS402": Message(
        "Unable to run the method because the requested HTTP method is not allowed.",
        _SEE_GUIDE,
        "Informational",
        405,
    ),
    "SYS403": Message(
        "Unable to complete the operation because the resource %1 entered in not found.",
        "Enter the correct resource and retry the operation.",
        "Critical",
        404,
    ),
    "SYS405": Message(
        "Unable to complete the operation because the JSON data format entered is invalid.",
        _SEE_GUIDE,
        "Critical",
    ),
    "SYS406": Message(
        "Unable to run the method because the property %1 is missing.", _SEE_GUIDE, "Critical"
    ),
    "SYS407": Message(
        "Unable to complete the operation because the property %1 is not known.", _SEE_GUIDE
    ),
    "SYS409": Message(
        "Unable to complete the operation because the value %1 entered for the property %2 is "
        "not in the list of acceptable values.",
        "Enter a valid value from the enumeration list and retry the operation.",
    ),
    "SYS413": Message("The operation successfully completed.", severity="Informational"),
    "SYS414": Message("A new resource is successfully created.", severity="Informational"),
    "SYS415": Message(
        "Unable to complete the operation because an invalid username and/or password is "
        "entered, and therefore authentication failed.",
        "Enter valid user name and password and retry the operation.",
        status=401,
    ),
    "SYS416": Message(
        "Unable to complete the operation because the account %1 does not have the privilege.",
        "Use an account with the privilege to configure or to control the server.",
        status=403,
    ),
    "SYS426": Message(
        "Unable to complete the operation because the value %1 is not acceptable for the "
        "attribute %2.",
        "Use a value that the attribute registry lists; case matters.",
    ),
    "SYS428": Message(
        "Unable to modify the attribute %1 because the attribute is read-only and depends on "
        "other attributes.",
        "Verify whether the attribute depends on other attributes and retry the operation.",
    ),
    "SYS429": Message(
        "Unable to complete the operation because the attribute %1 does not exist.", _SEE_GUIDE
    ),
    "SYS518": Message(
        "iDRAC is currently unable to display any information because data sources are "
        "unavailable.",
        _RETRY,
        "Critical",
        503,
    ),
    "SYS519": Message(
        "Unable to complete the operation because of an internal error.", _RETRY, "Critical", 500
    ),
    "PSU501": Message(
        "Unable to complete the operation because the server is already powered %1.",
        status=409,
    ),
    # both
    "JCP001": Message("Task successfully scheduled.", severity="Informational"),
    "JCP007": Message("New job.", severity="Informational"),
    "JCP024": Message(
        "Lifecycle Controller in use. This job will start when Lifecycle Controller is available.",
        severity="Informational",
    ),
    "PR19": Message("Job completed successfully.", severity="Informational"),
    "PR20": Message("Job in progress.", severity="Informational"),
    "PR21": Message("Job failed.", severity="Critical"),
    "PR25": Message("Job completed with errors.", severity="Warning"),
    "RAC0218": Message(
        "The maximum number of user sessions is reached.",
        "Close a session, or wait until one has timed out, and retry.",
    ),
    "RAC1007": Message(
        "Unable to delete the job %1 because it is running.", "Wait until it has completed."
    ),
    "RAC1032": Message("%1 job(s) was cancelled by the user.", severity="Informational"),
    "RAC1035": Message(
        "No pending data present to create a Configuration job.",
        "Set an attribute first.",
    ),
    "RAC1155": Message(
        "Unable to complete the operation because Lifecycle Controller is disabled.",
        "Enable Lifecycle Controller and retry.",
    ),
    "RED023": Message(
        "Lifecycle Controller in use. This job will start when Lifecycle Controller is available.",
        _RETRY,
        status=503,
    ),
    "SWC0700": Message(
        "iDRAC is not ready. The configuration values cannot be accessed.", _RETRY, status=400
    ),
    # racadm
    "RAC917": Message("Invalid group or object name: %1."),
    "RAC947": Message("Invalid object value specified."),
    "RAC1017": Message(
        "Successfully modified the object value and the change is in pending state.",
        severity="Informational",
    ),
    "RAC1024": Message("Successfully scheduled a job.", severity="Informational"),
    "RAC1025": Message("The specified object is read-only and cannot be modified."),
    "RAC1030": Message("The job ID %1 is not found."),
    "RAC901": Message('Invalid syntax. Run "racadm help %1" for the syntax of the command.'),
}
