"""Carry files between the machine, S3 and the web."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Mapping
from itertools import count
from typing import Any

from localcloud.imagebuilder.acting import ActionFailed, Outcome, Shell, bash, is_set

CHECKSUMS = ("MD5", "SHA1", "SHA-1", "SHA256", "SHA-256", "SHA512", "SHA-512")
_MOST_OBJECTS = 1000  # what AWSTOE's guide says of one download
_CHUNK = 600_000  # bytes; as base64 it is less than a shell keeps of a command's output


def s3_download(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    """Copy an object to a file, or all below a prefix that ends with /* into a folder; the folder must be there."""
    source, destination = str(item["source"]), str(item["destination"])
    owner, overwrite = str(item.get("expectedBucketOwner", "")), item.get("overwrite", True)
    if not source.endswith("/*"):
        content = shell.objects.read(source, owner)
        return Outcome(bash(shell, _STORE, destination, overwrite, stdin=content).exit_code)
    prefix = source.removesuffix("*")
    found = shell.objects.below(prefix, owner)
    if not found:
        raise ActionFailed(f"nothing matches {source}")
    if len(found) > _MOST_OBJECTS:
        raise ActionFailed(f"{len(found)} objects match {source}, one download takes {_MOST_OBJECTS}")
    for uri in found:
        name = uri.removeprefix(prefix)
        if ".." in name.split("/"):
            raise ActionFailed(f"{uri} would leave the folder {destination}")
        content = b"" if uri.endswith("/") else shell.objects.read(uri, owner)
        result = bash(shell, _STORE_BELOW, destination, name, overwrite, stdin=content)
        if result.exit_code != 0:
            return Outcome(result.exit_code)
    return Outcome(0)


def s3_upload(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    """Copy a file, the files a pattern matches or, with `recurse`, whole folders into S3."""
    source, destination = str(item["source"]), str(item["destination"])
    listed = bash(shell, _LIST, source, is_set(item, "recurse"), quiet=True)
    if listed.exit_code != 0:
        raise ActionFailed(f"{source} is no file, and no folder to upload with recurse: true")
    # the folder first, then what lies in it
    folder, *names = listed.stdout.rstrip("\0").split("\0")
    if not names:
        raise ActionFailed(f"nothing matches {source}")
    is_one_file = "*" not in source and names == [posixpath.basename(source)]
    for name in names:
        uri = destination if is_one_file and not destination.endswith("/") else f"{destination.rstrip('/')}/{name}"
        content = _content(shell, posixpath.join(folder, name))
        shell.objects.write(uri, content, str(item.get("expectedBucketOwner", "")))
    return Outcome(0)


def web_download(shell: Shell, item: Mapping[str, Any]) -> Outcome:
    """Fetch a URL; a destination that ends with / is a folder. Checksum and algorithm need each other."""
    source, destination = str(item["source"]), str(item["destination"])
    if destination.endswith("/"):
        destination += posixpath.basename(source.partition("?")[0])
    algorithm = str(item.get("algorithm", "")).lower().replace("-", "")
    checksum = str(item.get("checksum", "")).lower()
    if (checksum == "") != (algorithm == ""):
        raise ActionFailed("WebDownload compares a checksum only where both checksum and algorithm are given")
    flags = item.get("overwrite", True), is_set(item, "ignoreCertificateErrors")
    result = bash(shell, _FETCH, source, destination, *flags, checksum, algorithm)
    return Outcome(result.exit_code, {"destination": destination})


def _content(shell: Shell, path: str) -> bytes:
    content = b""
    for number in count():
        result = bash(shell, _READ, path, number, _CHUNK, quiet=True)
        if result.exit_code != 0:
            raise ActionFailed(f"{path} cannot be read")
        chunk = base64.b64decode(result.stdout)
        content += chunk
        if len(chunk) < _CHUNK:
            break
    return content


_STORE = """set -eu
if [ -e "$1" ] && [ "$2" = false ]; then echo "File already exists and overwrite is false: $1" >&2; exit 1; fi
[ -d "$(dirname -- "$1")" ] || { echo "the folder of $1 is not there" >&2; exit 1; }
cat > "$1"
"""

_STORE_BELOW = """set -eu
[ -d "$1" ] || { echo "the folder $1 is not there" >&2; exit 1; }
to=${1%/}/$2
case $2 in */ | '') mkdir -p -- "$to"; exit 0 ;; esac
if [ -e "$to" ] && [ "$3" = false ]; then echo "File already exists and overwrite is false: $to" >&2; exit 1; fi
mkdir -p -- "$(dirname -- "$to")"
cat > "$to"
"""

_LIST = r"""set -eu; shopt -s nullglob; IFS=
case $1 in *'*'*) found=($1); folder=$(dirname -- "$1") ;; *) found=("$1"); folder=$(dirname -- "$1") ;; esac
if [ -d "$1" ]; then [ "$2" = true ]; folder=${1%/}; found=("$folder"/*); fi
printf '%s\0' "$folder"
for one in "${found[@]}"; do
  if [ -f "$one" ]; then printf '%s\0' "${one#"$folder"/}"
  elif [ -d "$one" ] && [ "$2" = true ]; then
    find "$one" -type f -print0 | sort -z | while read -r -d '' file; do printf '%s\0' "${file#"$folder"/}"; done
  fi
done
"""

_READ = 'set -euo pipefail; dd if="$1" skip="$2" bs="$3" count=1 iflag=fullblock status=none | base64 -w 0'

_FETCH = """set -eu
if [ -e "$2" ] && [ "$3" = false ]; then echo "$2 is already there" >&2; exit 1; fi
mkdir -p -- "$(dirname -- "$2")"
insecure=; if [ "$4" = true ]; then insecure=--insecure; fi
fetched=$(mktemp -- "$2.XXXXXX")
trap 'rm -f -- "$fetched"' EXIT
curl --fail --silent --show-error --location --max-redirs 10 $insecure --output "$fetched" -- "$1"
if [ -n "$5" ] && ! echo "$5  $fetched" | "${6}sum" --check --status; then
  echo "the checksum of $1 differs" >&2
  exit 1
fi
chmod "$(printf '%o' $((0666 & ~$(umask))))" "$fetched"
mv -f -- "$fetched" "$2"
"""
