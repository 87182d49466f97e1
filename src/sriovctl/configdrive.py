"""A config drive: a CD-ROM image labelled ``cidata`` with the files of a VM's bonds.

cloud-init reads its three files at the top (NoCloud). For the other network systems the files lie
under ``files``, each at its path with its mode, for a guest that copies them where they belong:
cloud-init would hand on its own version of them, and lose what it does not know.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pycdlib
from pycdlib import dates, headervd
from pycdlib import pycdlib as images

from sriovctl.netconf import File

LABEL = "cidata"
FOLDER_MODE = 0o040755

# it stamps all by the clock, in the local time zone: the same files are to give the same image
for _stamping in (dates, headervd, images):
    vars(_stamping)["time"] = SimpleNamespace(
        **{**vars(time), "time": lambda: 0.0, "localtime": time.gmtime}
    )


def image(vm: str, files: Sequence[File]) -> bytes:
    """An ISO 9660 image with Rock Ridge and Joliet names.

    :param vm: its name
    :param files: what :func:`sriovctl.netconf.render` gave; those without a folder are for the top
    """
    drive = pycdlib.PyCdlib()
    drive.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    plain_names = {"": ""}
    for number, file in enumerate((*_of_cloud_init(vm, files), *files)):
        parents, _, name = _place(file).rpartition("/")
        folder = ""
        for part in parents.split("/")[1:]:
            above, folder = folder, f"{folder}/{part}"
            if folder not in plain_names:
                plain_names[folder] = f"{plain_names[above]}/D{len(plain_names)}"
                drive.add_directory(
                    plain_names[folder],
                    rr_name=part,
                    joliet_path=folder,
                    file_mode=FOLDER_MODE,
                )
        data = file.text.encode()
        drive.add_fp(
            io.BytesIO(data),
            len(data),
            f"{plain_names[folder]}/F{number}.;1",
            rr_name=name,
            joliet_path=f"{folder}/{name}",
            file_mode=0o100000 | file.mode,
        )
    out = io.BytesIO()
    drive.write_fp(out)
    drive.close()
    return out.getvalue()


def _place(file: File) -> str:
    return f"/files{file.path}" if file.path.startswith("/") else f"/{file.path}"


def _of_cloud_init(vm: str, files: Sequence[File]) -> tuple[File, ...]:
    # cloud-init takes a drive with another instance-id for that of a new machine, and applies it
    digest = hashlib.sha256(repr([file.model_dump() for file in files]).encode()).hexdigest()[:16]
    if any(file.path == "network-config" for file in files):
        return (
            File(path="meta-data", text=f'instance-id: "{vm}-{digest}"\n'),
            File(path="user-data", text="#cloud-config\n{}\n"),
        )
    return ()
