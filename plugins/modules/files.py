#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Have several small files and directories on a node, in one go
version_added: 0.1.0
description:
  - What ansible.builtin.copy and ansible.builtin.file do one by one costs a connection and an interpreter for each; this costs one for all.
  - Each file is replaced whole. They are written in the order in which they are named.
  - The node's log says that the module ran, and of no file what it says.
options:
  files:
    description: Files and directories, each after the directory that it lies in.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where it is.
        type: path
        required: true
      content:
        description: What a file says. Without it and O(files[].secret_content), it is a directory.
        type: str
      secret_content:
        description: As O(files[].content), and not shown.
        type: str
      mode:
        description: Its mode, as ansible.builtin.file takes it.
        type: raw
        required: true
      owner:
        description: Whose it is. The default leaves it to whom it is.
        type: str
      group:
        description: Its group. The default leaves it.
        type: str
      recurse:
        description: Of a directory, whether all in it gets the same owner and group, of links these themselves and not what they lead to.
        type: bool
        default: false
attributes:
  check_mode:
    description: It says what would change.
    support: full
  diff_mode:
    description: It shows what files say, but for what is secret.
    support: full
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Have the settings of a service
  gpu.fleet.files:
    files:
      - {path: /etc/service, mode: "0755"}
      - {path: /etc/service/settings.json, content: "{}", mode: "0644"}
      - {path: /etc/service/key, secret_content: "{{ key }}", mode: "0600", owner: service}
"""

RETURN = r"""
changed_paths:
  description: Which of the files and directories were changed, or would be.
  returned: always
  type: list
  elements: str
  sample: [/etc/service/key]
diff:
  description: What each changed file said before (empty where there was none) and says after, but for what is secret.
  returned: always
  type: list
  elements: dict
  sample: [{before: "", after: "{}", before_header: /etc/service/settings.json, after_header: /etc/service/settings.json}]
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "mode": {"type": "raw", "required": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "recurse": {"type": "bool", "default": False},
}
OPTIONS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": FILE,
        "mutually_exclusive": [("content", "secret_content")],
        # The node's log would have it as Python writes it, where a secret with a quote or a backslash is not found any more and not masked.
        "no_log": True,
    },
}


def _said(wanted: dict[str, Any]) -> str | None:
    """Return what a file is to say, or None for a directory."""
    return next((wanted[name] for name in ("content", "secret_content") if wanted[name] is not None), None)


def _read(path: Path) -> str | None:
    """Return what a file says now, or None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def _write(module: AnsibleModule, path: Path, text: str) -> None:
    """Replace a file whole, so that who reads it meanwhile sees the former or the new one."""
    descriptor, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(draft, str(path))


def _attributes(module: AnsibleModule, wanted: dict[str, Any], path: Path) -> bool:
    """Give a path its owner, group and mode, and return whether they were others."""
    changed = False
    for give, name in (
        (module.set_owner_if_different, "owner"),
        (module.set_group_if_different, "group"),
        (module.set_mode_if_different, "mode"),
    ):
        changed = give(str(path), wanted[name], changed)
    return changed


def _own(module: AnsibleModule, top: Path) -> bool:
    """Give all that is below a directory the directory's owner and group, and return whether they were others.

    Who may write there can put a link in the place of what was looked at: all is reached through open directories, no link is followed.
    """
    wanted, changed = top.stat(), False
    for _, directories, files, descriptor in os.fwalk(top, follow_symlinks=False):
        for name in directories + files:
            with suppress(FileNotFoundError):  # it may also be gone again
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
                    changed = True
                    if not module.check_mode:
                        os.chown(name, wanted.st_uid, wanted.st_gid, dir_fd=descriptor, follow_symlinks=False)
    return changed


def _have(module: AnsibleModule, wanted: dict[str, Any]) -> tuple[bool, dict[str, str] | None]:
    """Have one file or directory; return whether it was changed, and the difference in what it says."""
    path, text, diff, changed = Path(wanted["path"]), _said(wanted), None, False
    if text is None:
        if not path.is_dir():
            changed = True
            if not module.check_mode:
                path.mkdir(parents=True)
    else:
        before = _read(path)
        if before != text:
            changed = True
            if wanted["secret_content"] is None:
                diff = {"before": before or "", "after": text, "before_header": str(path), "after_header": str(path)}
            if not module.check_mode:
                _write(module, path, text)
    if path.exists():
        changed |= _attributes(module, wanted, path)
        if wanted["recurse"]:
            changed |= _own(module, path)
    return changed, diff


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    # What is returned is paths and what is no secret: only the secrets themselves are masked in it.
    module.no_log_values = {wanted["secret_content"] for wanted in module.params["files"] if wanted["secret_content"]}
    changed_paths: list[str] = []
    diffs: list[dict[str, str]] = []
    for wanted in module.params["files"]:
        try:
            changed, diff = _have(module, wanted)
        except OSError as error:
            problem = f"found that {wanted['path']} cannot be had: {error}"
            module.fail_json(msg=problem, changed_paths=changed_paths, changed=bool(changed_paths))
        if changed:
            changed_paths.append(wanted["path"])
        if diff:
            diffs.append(diff)
    module.exit_json(changed=bool(changed_paths), changed_paths=changed_paths, diff=diffs)


if __name__ == "__main__":
    main()
