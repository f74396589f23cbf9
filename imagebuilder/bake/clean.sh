#!/bin/sh
# Remove what is one machine's own before an image is made of it: clean.sh clean|look ROOT
#
# Both verbs end by telling, a line each, what of it is (still) there. Doing it twice is fine. A folder that nobody may
# write to is a part of no image and is passed over.
set -u
verb=$1
root=${2%/}
ROUNDS=3 # what runs beside us may write to a log between cleaning and looking

mounted() { # mounted FOLDER: what lies in it and is, or leads to, another file system, which is a part of no image
    while read -r _ point _; do
        case $point in "$1"/*)
            rest=${point#"$1"/}
            echo "$1/${rest%%/*}"
            ;;
        esac
    done </proc/self/mounts | sort -u
}

in_folder() { # in_folder FOLDER TEST...: what lies below it and passes, ended by NULs
    folder=$1
    shift
    for other in $(mounted "$folder"); do set -- "$@" ! -path "$other"; done
    if [ -d "$folder" ] && [ -w "$folder" ]; then find "$folder" -xdev -mindepth 1 "$@" -print0; fi
}

homes() {
    {
        echo /root
        cut -d: -f6 "$root/etc/passwd"
        ls -d "$root"/home/* 2>/dev/null | while read -r home; do echo "${home#"$root"}"; done
    } | sort -u | while read -r home; do
        case $home in / | '' | /dev* | /proc* | /sys*) ;; *) echo "$root$home" ;; esac
    done
}

traces() { # every file and folder that has to go
    in_folder "$root/etc/ssh" -maxdepth 1 \( -name 'ssh_host_*key*' -o -name 'ssh_known_hosts*' \)
    homes | while read -r home; do
        in_folder "$home" -maxdepth 1 \( -name '.*_history' -o -name .lesshst -o -name .viminfo -o -name .wget-hsts \
            -o -name .sudo_as_admin_successful -o -name .Xauthority \)
        in_folder "$home/.ssh" -maxdepth 1 \( -name 'authorized_keys*' -o -name 'known_hosts*' \)
    done
    in_folder "$root/var/lib/cloud" -maxdepth 1 \
        \( -name instance -o -name instances -o -name data -o -name sem \)
    in_folder "$root/var/lib/dbus" -maxdepth 1 -name machine-id -type f
    in_folder "$root/var/lib/systemd" -maxdepth 1 \( -name random-seed -o -name credential.secret \)
    for folder in tmp var/tmp var/crash var/mail var/lib/dhcp var/lib/systemd/coredump \
        var/lib/amazon/toe var/log/journal; do
        in_folder "$root/$folder" -maxdepth 1
    done
    for folder in var/lib/apt/lists var/cache/apt var/cache/dnf var/cache/yum; do
        in_folder "$root/$folder" -type f 2>/dev/null
    done
    in_folder "$root/var/log" -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \
        -o -name '*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' -o -name 'cloud-init*.log' \)
}

left() { # what counts after cleaning: logs of more than what sudo and sshd say meanwhile, an id of the machine
    traces
    in_folder "$root/var/log" -type f -size +64k ! -name lastlog
    if [ -s "$root/etc/machine-id" ]; then printf '%s\0' "$root/etc/machine-id"; fi
}

clean() {
    if [ -z "$root" ]; then
        if command -v cloud-init; then cloud-init clean --logs --machine-id || cloud-init clean --logs; fi
        if command -v apt-get; then apt-get clean; fi
        if command -v journalctl; then journalctl --rotate --vacuum-time=1s; fi
    fi >/dev/null 2>&1 </dev/null
    in_folder "$root/var/log" -type f | xargs -0 -r truncate -s 0 --
    traces | xargs -0 -r rm -rf --one-file-system --
    if [ -e "$root/etc/machine-id" ]; then : >"$root/etc/machine-id"; fi # empty: made at the first boot
    sync
}

if [ "$verb" = clean ]; then
    if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
        echo 'must be root' >&2
        exit 1
    fi
    round=0
    while [ "$round" -lt "$ROUNDS" ]; do
        clean
        round=$((round + 1))
        if [ -z "$(left | tr '\0' '.')" ]; then break; fi
    done
fi
left | tr '\n\0' '?\n'
