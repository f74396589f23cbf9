"""Do the actions that fetch and store: from the web on the machine, S3 from this side.

S3 from this side, so that a machine that is baked by hand needs no credentials.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from contracts.errors import CloudError, CommandFailed
from imagebuilder.running.attempt import ActionFailed, Attempt, Outcome
from imagebuilder.running.files import Entry, flag, text
from imagebuilder.running.ports import ObjectStore

_MOST_OBJECTS = 1000
"""What S3Download takes at once."""
_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


def web_download(attempt: Attempt, entry: Entry) -> Outcome:
    """Fetch a file over HTTP; with a checksum only where the one that is there differs."""
    checksum, algorithm = text(entry, "checksum").lower(), text(entry, "algorithm").lower().replace("-", "")
    if bool(checksum) != bool(algorithm) or algorithm not in ("", *_ALGORITHMS):
        raise ActionFailed("a checksum needs an algorithm, MD5, SHA1, SHA256 or SHA512, and an algorithm a checksum")
    source, destination = text(entry, "source"), text(entry, "destination")
    if not source.lower().startswith(("http://", "https://")):
        raise ActionFailed(f"{source} is no address of the web")
    if destination.endswith("/"):
        destination += PurePosixPath(source.split("?", 1)[0].split("#", 1)[0]).name
    words = (flag(entry, "overwrite", True), flag(entry, "ignoreCertificateErrors", False), checksum, algorithm)
    code = attempt.bash(_WEB_DOWNLOAD, source, destination, *words).exit_code
    return Outcome(code, {"destination": destination} if code == 0 else {})


def s3_download(attempt: Attempt, entry: Entry) -> Outcome:
    """Fetch an object, or all below a prefix that ends with `/*`; the destination's folder must be there."""
    store, owner = _store(attempt), text(entry, "expectedBucketOwner")
    bucket, key = _parts(text(entry, "source"))
    destination, overwrite = text(entry, "destination"), flag(entry, "overwrite", True)
    try:
        if not key.endswith("/*"):
            if destination.endswith("/"):
                destination += PurePosixPath(key).name
            return Outcome(_fetched(attempt, store, (bucket, key, owner), destination, overwrite))
        prefix = key.removesuffix("*")
        keys = [found for found in store.keys(bucket, prefix, owner=owner) if not found.endswith("/")]
        if len(keys) > _MOST_OBJECTS:
            raise ActionFailed(f"more than {_MOST_OBJECTS} objects below {text(entry, 'source')}")
        if not keys:
            raise ActionFailed(f"no object below {text(entry, 'source')}")
        for found in keys:
            below = _refuse_climbing(found.removeprefix(prefix))
            path = f"{destination.rstrip('/')}/{below}"
            if "/" in below:
                attempt.bash('[ -d "$1" ] && mkdir -p -- "$(dirname -- "$2")"', destination, path)
            code = _fetched(attempt, store, (bucket, found, owner), path, overwrite)
            if code != 0:
                return Outcome(code)
    except CloudError as error:
        raise ActionFailed(f"{text(entry, 'source')} cannot be read: {error}") from error
    return Outcome()


def s3_upload(attempt: Attempt, entry: Entry) -> Outcome:
    """Store a file, all that match a pattern, or with `recurse` a folder with all below it."""
    store, owner = _store(attempt), text(entry, "expectedBucketOwner")
    bucket, key = _parts(text(entry, "destination"))
    found = attempt.bash(_FIND, text(entry, "source"), flag(entry, "recurse", False), quiet=True)
    if found.exit_code != 0:
        return Outcome(found.exit_code)
    files = [line.split("\t", 1) for line in found.text.splitlines()]
    for path, below in files:
        target = key if key and not key.endswith("/") and len(files) == 1 else f"{key.rstrip('/')}/{below}".lstrip("/")
        try:
            with attempt.machine.get(path, deadline=attempt.deadline) as chunks:
                store.put(bucket, target, chunks, owner=owner)
        except CommandFailed as error:
            raise ActionFailed(f"{path} cannot be read: {error.message}") from error
        except CloudError as error:
            raise ActionFailed(f"s3://{bucket}/{target} cannot be written: {error}") from error
    return Outcome()


def object_content(attempt: Attempt, uri: str, owner: str) -> bytes:
    """Give a small object's content. Raises ActionFailed."""
    bucket, key = _parts(uri)
    try:
        with _store(attempt).get(bucket, key, owner=owner) as chunks:
            return b"".join(chunks)
    except CloudError as error:
        raise ActionFailed(f"{uri} cannot be read: {error}") from error


def _store(attempt: Attempt) -> ObjectStore:
    if attempt.objects is None:
        raise ActionFailed("S3 cannot be reached from here")
    return attempt.objects


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ActionFailed(f"{uri} is no S3 URI: s3://bucket/key")
    return bucket, key


def _refuse_climbing(path: str) -> str:
    """A key is anybody's choice, and a file of ours is not."""
    if ".." in path.split("/") or path.startswith("/"):
        raise ActionFailed(f"the key {path!r} leads out of the destination")
    return path


def _fetched(attempt: Attempt, store: ObjectStore, where: tuple[str, str, str], path: str, overwrite: bool) -> int:
    """Write an object to a file beside its place, and put it there when it is whole."""
    bucket, key, owner = where
    ready = attempt.bash(_READY, path, overwrite)
    if ready.exit_code != 0:
        return ready.exit_code
    part = f"{path}.rampart-part"
    with store.get(bucket, key, owner=owner) as chunks:
        wrong = attempt.machine.put(part, iter(chunks), deadline=attempt.deadline)
    if wrong:
        attempt.bash('rm -f -- "$1"', part)
        raise ActionFailed(f"{path} cannot be written: {wrong}")
    return attempt.bash('mv -f -- "$1" "$2"', part, path).exit_code


_READY = """set -eu; fail() { printf "%s\\n" "$*" >&2; exit 1; }
folder=$(dirname -- "$1")
[ -d "$folder" ] || fail "no folder $folder"
[ ! -d "$1" ] || fail "$1 is a folder"
[ "$2" = true ] || [ ! -e "$1" ] || fail "$1 is already there"
"""

# each line is a path and, for those of a folder or a pattern, the way from there
_FIND = """set -eu; fail() { printf "%s\\n" "$*" >&2; exit 1; }
IFS=; shopt -s nullglob
case $1 in
  *'*'*) found=($1); base=$(dirname -- "$1") ;;
  *) found=("$1"); base=$1 ;;
esac
count=0
for one in ${found[@]+"${found[@]}"}; do
  if [ -d "$one" ] && [ "$2" = true ]; then
    find "$one" -type f | LC_ALL=C sort |
      while read -r path; do printf '%s\\t%s\\n' "$path" "${path#"${base%/}"/}"; done
    count=$((count + 1))
  elif [ -f "$one" ]; then
    if [ "$one" = "$1" ]; then below=$(basename -- "$one"); else below=${one#"${base%/}"/}; fi
    printf '%s\\t%s\\n' "$one" "$below"
    count=$((count + 1))
  elif [ -d "$one" ] && [ "$one" = "$1" ]; then fail "$1 is a folder: set recurse"
  fi
done
[ "$count" -gt 0 ] || fail "nothing matches $1"
"""

_WEB_DOWNLOAD = """set -eu; fail() { printf "%s\\n" "$*" >&2; exit 1; }
same() { local sum; sum=$("${algorithm}sum" < "$1"); [ "${sum%% *}" = "$checksum" ]; }
checksum=$5 algorithm=$6
if [ -e "$2" ]; then
  [ "$3" = true ] || fail "$2 is already there"
  if [ -n "$checksum" ] && [ -f "$2" ] && same "$2"; then exit 0; fi
fi
mkdir -p -- "$(dirname -- "$2")"
part=$2.rampart-part
trap 'rm -f -- "$part"' EXIT
insecure=; if [ "$4" = true ]; then insecure=--insecure; fi
curl --fail --silent --show-error --location --max-redirs 10 --retry 4 $insecure --output "$part" -- "$1"
if [ -n "$checksum" ]; then same "$part" || fail "the checksum of $1 differs"; fi
mv -f -- "$part" "$2"
"""
