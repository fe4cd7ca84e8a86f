# SPDX-License-Identifier: BSD-2-Clause
"""The bill of materials of an image as an SPDX 2.3 document (ISO/IEC 5962 in its JSON form)."""

import datetime
import os
import re
import urllib.parse
import uuid

from files import sha256, to_json

NONE = "NOASSERTION"


def document(manifest):
    """The SPDX document of a manifest, as a dictionary."""
    packages = [_image(manifest), _libc(manifest["libc"]), _compiler(manifest["compiler"])]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", packages[0]["SPDXID"])]
    relations.append((packages[0]["SPDXID"], "CONTAINS", packages[1]["SPDXID"]))
    relations.append((packages[2]["SPDXID"], "BUILD_TOOL_OF", packages[0]["SPDXID"]))
    for part in manifest["payload"]["parts"]:
        _add_part(part, packages, relations)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"husk-{manifest['name'] or 'image'}-{manifest['husk']}",
        # A URI that is unique for this content; it need not resolve (SPDX 2.3, 6.5).
        "documentNamespace": _uuid(to_json(manifest)).urn,
        "creationInfo": {"created": _created(), "creators": [f"Tool: husk-{manifest['husk']}"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations
        ],
    }


def _uuid(text):
    """A UUID that is made from a text (RFC 9562, 5.8), because only the content may decide it."""
    bits = int(sha256(text.encode())[:32], 16)
    return uuid.UUID(int=bits & ~(0xF << 76) & ~(3 << 62) | 8 << 76 | 2 << 62)


def _created():
    """The time that SOURCE_DATE_EPOCH gives, or the epoch: the same image has the same document."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _package(identifier, name, version, sha, **more):
    package = {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", identifier),
        "name": name,
        "downloadLocation": NONE,
        "filesAnalyzed": False,
        "licenseConcluded": NONE,
        "licenseDeclared": NONE,
        "copyrightText": NONE,
    }
    if version:
        package["versionInfo"] = version
    if sha:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": sha}]
    return {**package, **more}


def _image(manifest):
    comment = f"source tree SHA-256 {manifest['source']['sha256']}, core objects SHA-256 {manifest['core_digest']}"
    return _package(
        "image", manifest["image"]["file"], manifest["husk"], manifest["image"]["sha256"],
        primaryPackagePurpose="FIRMWARE", comment=comment,
    )  # fmt: skip


def _libc(libc):
    return _package("libc", libc["name"], libc["version"], libc["sha256"], primaryPackagePurpose="LIBRARY",
                    comment="The checksum is that of the source archive.")  # fmt: skip


def _compiler(version):
    name, _, number = version.rpartition(" ")
    return _package("compiler", name or version, number or None, None, primaryPackagePurpose="APPLICATION")


def _add_part(part, packages, relations):
    """Adds a part of the payload and the packages and files that it was made from."""
    element = _package(f"payload-{part['kind']}", part["name"], part.get("version"), part["sha256"], primaryPackagePurpose="FILE")
    packages.append(element)
    relations.append(("SPDXRef-image", "CONTAINS", element["SPDXID"]))
    origin = element["SPDXID"]
    if packed := part.get("unpacked_from"):
        inner = _package(f"payload-{part['kind']}-packed", packed["name"], part.get("version"), packed["sha256"], primaryPackagePurpose="FILE")
        packages.append(inner)
        relations.append((origin, "GENERATED_FROM", inner["SPDXID"]))
        origin = inner["SPDXID"]
    _add_debian(part, origin, packages, relations)
    for source in part.get("made_from", []):
        made = _package(f"payload-{part['kind']}-{source['name']}", source["name"], source.get("version"), source["sha256"], primaryPackagePurpose="FILE")
        packages.append(made)
        relations.append((origin, "GENERATED_FROM", made["SPDXID"]))
        _add_debian(source, made["SPDXID"], packages, relations)


def _add_debian(source, origin, packages, relations):
    """Adds the Debian package that a file comes from, if it does."""
    if "package" not in source:
        return
    version = urllib.parse.quote(source["version"], safe="")
    locator = f"pkg:deb/debian/{source['package']}@{version}?arch={source['architecture']}&distro={source['suite']}"
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}
    package = _package(
        f"deb-{source['package']}", source["package"], source["version"], source["package_sha256"],
        supplier="Organization: Debian", primaryPackagePurpose="INSTALL", externalRefs=[reference],
    )  # fmt: skip
    packages.append(package)
    relations.append((package["SPDXID"], "CONTAINS", origin))
