#!/bin/sh
# Stand in for a tool that an emulated machine cannot or must not really run: record the call, do what can be done.
# The variables it needs (CALLS, LEVEL, WAITING, ...) are written here when it is installed:
#SETTINGS#

record() {
    printf '%s\0' "$(($# + 1))" "${0##*/}" "$@" >>"$CALLS" 2>/dev/null
}

say() {
    echo "${0##*/}: emulated machine: $*" >&2
}

end_machine() { # end_machine shutdown|reboot
    if [ "$LEVEL" = plain ]; then
        echo "$1 $MACHINE" >"$CONTROL"
    elif [ "$1" = reboot ]; then
        kill -INT 1 || { say "must be root"; exit 1; }
    else
        kill -TERM 1 || { say "must be root"; exit 1; }
    fi
}

reload_sshd() { # the machine's first process hears it, and whoever serves SSH for the machine from it
    case $LEVEL in
        plain) say "recorded: the SSH server here reads no files of the machine's" ;;
        *) kill -HUP 1 || { say "must be root"; exit 1; } ;;
    esac
}

root_only() {
    [ "$LEVEL" = full ] && [ "$(id -u)" != 0 ] && { say "must be root"; exit 1; }
}

later() { # later SECONDS WORDS...: shut down with these words then, whatever becomes of the session that asked
    root_only
    take_back # there is one plan at a time: the last one
    seconds=$1
    shift
    $(command -v setsid) sh -c 'trap "" HUP; sleep "$1" || exit; shift; exec "$@"' sh "$seconds" "$0" "$@" \
        </dev/null >/dev/null 2>&1 &
    echo "$!" >"$WAITING"
    say "shutdown in $seconds s"
}

take_back() {
    [ -f "$WAITING" ] || return 0
    waiting=$(cat "$WAITING")
    kill -- "-$waiting" 2>/dev/null || kill "$waiting" 2>/dev/null
    rm -f "$WAITING"
}

misunderstood() {
    say "does not understand the time '$1'"
    exit 1
}

shut_down() {
    verb=shutdown again= when=
    while [ $# -gt 0 ]; do
        case $1 in
            -r | --reboot) verb=reboot again=-r ;;
            -c)
                root_only
                take_back
                exit 0
                ;;
            -*) ;;
            *)
                when=$1
                break
                ;;
        esac
        shift
    done
    case ${when:-+1} in
        now | +0) end_machine "$verb" ;;
        *[!0-9:+]*) misunderstood "$when" ;;
        +[0-9]*) later "$(expr "${when#+}" \* 60)" $again now ;;
        [0-9]*:*)
            at=$(date -d "$when" +%s) || misunderstood "$when"
            later "$(((at - $(date +%s) + 86400) % 86400))" $again now # today or tomorrow
            ;;
        [0-9]*) later "$(expr "$when" \* 60)" $again now ;;
        *) misunderstood "$when" ;;
    esac
}

run_as() { # run_as USER COMMAND...: become USER where the level has users
    user=$1
    shift
    me=$(id -u)
    case $LEVEL in
        plain) exec "$@" ;;
        user)
            if [ "$user" = root ]; then
                [ "$me" = 0 ] && exec "$@"
                exec unshare --user --map-root-user -- "$@"
            fi
            [ "$me" = 0 ] && exec unshare --user --map-user=1000 --map-group=1000 -- "$@"
            exec "$@"
            ;;
        full)
            if [ "$me" = 0 ]; then tool=setpriv; else tool=$AS_ROOT; fi
            if [ "$user" = root ]; then
                [ "$me" = 0 ] && exec "$@"
                [ -x "$AS_ROOT" ] || { say "$(id -un) is not in the sudoers file"; exit 1; }
                exec "$tool" --reuid=0 --regid=0 --clear-groups -- "$@"
            fi
            group=$(id -g "$user") || { say "unknown user $user"; exit 1; }
            [ "$me" = 0 ] || [ -x "$AS_ROOT" ] || { say "$(id -un) is not in the sudoers file"; exit 1; }
            # root does not need the setuid copy, and a copy run by root changes nothing more
            exec "$tool" --reuid="$(id -u "$user")" --regid="$group" --init-groups -- "$@"
            ;;
    esac
}

sudo_() {
    user=root keep= login= shell= folder=
    while [ $# -gt 0 ]; do
        case $1 in
            --) shift; break ;;
            -u | --user) user=$2; shift ;;
            -u?*) user=${1#-u} ;;
            --user=*) user=${1#--user=} ;;
            -g | --group | -p | --prompt | -C | -h | -r | -t | -T | -R) shift ;;
            -D | --chdir) folder=$2; shift ;;
            --chdir=*) folder=${1#--chdir=} ;;
            -E | --preserve-env | --preserve-env=*) keep=1 ;;
            -i | --login) login=1 ;;
            -s | --shell) shell=1 ;;
            -l | -v | -k | -K | --list | --validate | --reset-timestamp | --remove-timestamp)
                [ $# -eq 1 ] && exit 0 ;;
            --*) ;;
            -*) # several short ones in a word, as in -nE or -Hu user
                case $1 in *E*) keep=1 ;; esac
                case $1 in *i*) login=1 ;; esac
                case $1 in *s*) shell=1 ;; esac
                case $1 in *u) user=$2; shift ;; esac
                ;;
            *) break ;;
        esac
        shift
    done
    case $user in '#'*) user=$(getent passwd "${user#\#}" | cut -d: -f1) ;; esac
    case $LEVEL/$user in
        plain/*) home=$HOME ;;
        */root) home=/root ;;
        *) home=$(getent passwd "$user" | cut -d: -f6) ;;
    esac
    [ -n "$folder" ] && { cd "$folder" || exit 1; }
    if [ -n "$login" ]; then
        cd "${home:-/}" || exit 1
        [ $# -gt 0 ] && set -- -c "$*"
        set -- "${SHELL:-/bin/bash}" -l "$@"
    elif [ -n "$shell" ]; then
        [ $# -gt 0 ] && set -- -c "$*"
        set -- "${SHELL:-/bin/bash}" "$@"
    fi
    [ $# -gt 0 ] || { say "usage: sudo [-u user] command"; exit 1; }
    [ -n "$keep" ] || set -- env -i ${TERM:+TERM="$TERM"} ${TMPDIR:+TMPDIR="$TMPDIR"} ${LANG:+LANG="$LANG"} \
        ${TAR_OPTIONS:+TAR_OPTIONS="$TAR_OPTIONS"} ${RAMPART_MACHINE:+RAMPART_MACHINE="$RAMPART_MACHINE"} PATH="${SEARCH_PATH:-$PATH}" \
        HOME="${home:-/}" USER="$user" LOGNAME="$user" SHELL=/bin/bash SUDO_USER="$(id -un)" "$@"
    [ -n "$keep" ] && set -- env "$@" # takes NAME=value words before the command, as sudo does
    run_as "$user" "$@"
}

own_users() { # useradd at a level without users of its own: the home folder is what can be had
    make_home= name=
    while [ $# -gt 0 ]; do
        case $1 in
            -m | --create-home) make_home=1 ;;
            -[bcdefgGkKpsuR] | --shell | --groups | --gid | --uid | --comment | --home-dir | --gecos) shift ;;
            -*m*) case $1 in --*) ;; *) make_home=1 ;; esac ;;
            -*) ;;
            *) name=$1 ;;
        esac
        shift
    done
    [ "${0##*/}" = adduser ] && make_home=1
    [ -n "$make_home" ] && [ -n "$name" ] && mkdir -p "$HOMES/$name"
    say "recorded: this level has no users of its own"
    exit 0
}

own_host_keys() { # ssh-keygen where /etc/ssh is that of the machine around this one
    case " $* " in
        *" /etc/ssh/"*)
            say "no host key is made: this level has no /etc of its own"
            exit 1
            ;;
    esac
    exec "$(command -p -v ssh-keygen)" "$@"
}

changes_mode_only() { # install as one without the right to give files away
    real=$(command -p -v install)
    for argument; do
        shift
        case $argument in
            --owner=* | --group=*) ;;
            -o | -g | --owner | --group) skip=1 ;;
            *) if [ -n "$skip" ]; then skip=; else set -- "$@" "$argument"; fi ;;
        esac
    done
    exec "$real" "$@"
}

query_only() { # dpkg where nothing can be installed
    case " $* " in
        *" -i "* | *" --install "* | *" -r "* | *" --remove "* | *" -P "* | *" --purge "* | *" --configure "* | *" -a "*)
            say "recorded, nothing changed"
            exit 0
            ;;
    esac
    exec "$(command -p -v dpkg)" "$@"
}

is_own_unit() { # one that this machine wrote itself: it is run, all others are recorded only
    case $1 in
        -* | */*) return 1 ;;
        *.service | *.path) ;;
        *) set -- "$1.service" ;;
    esac
    [ -f "$UNITS/$1" ] && [ ! -L "$UNITS/$1" ] && ! grep -qxF -- "$1" "$TOOLS/foreign-units"
}

is_about_own_units() { # is_about_own_units WORDS OF SYSTEMCTL...
    [ -n "$PYTHON" ] || return 1
    for word; do
        is_own_unit "$word" && return 0
        [ "$word" = daemon-reload ] && [ -S /run/rampart-units/socket ] && return 0
    done
    return 1
}

show_log() { # show_log WORDS OF JOURNALCTL...: what units of the machine's own have said
    for word in ${PYTHON:+"$@"}; do
        case $word in --unit=*) word=${word#--unit=} ;; -u?*) word=${word#-u} ;; esac
        log=/var/lib/rampart-units/${word%.service}.log
        is_own_unit "$word" && [ -f "$log" ] && exec cat "$log"
    done
    say "recorded, nothing changed"
}

own_address() { # own_address WORDS OF HOSTNAME...: the instance's, not those of the machine around it
    [ $# -eq 1 ] && [ -s "$ADDRESS" ] || return 1
    case $1 in -I | --all-ip-addresses | -i | --ip-address) printf '%s \n' "$(cat "$ADDRESS")" ;; *) return 1 ;; esac
}

UNITS=/etc/systemd/system
[ "${0##*/}" != hostname ] || own_address "$@" || exec "$(command -p -v hostname)" "$@"

record "$@"
case ${0##*/} in
    hostname) ;; # said already
    sudo) sudo_ "$@" ;;
    shutdown) shut_down "$@" ;;
    poweroff | halt) end_machine shutdown ;;
    reboot) end_machine reboot ;;
    systemctl)
        is_about_own_units "$@" && exec "$PYTHON" -I -S -B "$TOOLS/units" ask "$@"
        case " $* " in
            *" is-system-running "*) echo running ;;
            *" is-active "*) echo inactive; exit 3 ;;
            *" is-enabled "*) echo disabled; exit 1 ;;
            *" poweroff "* | *" halt "*) end_machine shutdown ;;
            *" reboot "*) end_machine reboot ;;
            *" reload ssh "* | *" reload sshd "* | *" restart ssh "* | *" restart sshd "*) reload_sshd ;;
            *) say "recorded: nothing is supervised here" ;;
        esac
        ;;
    journalctl) show_log "$@" ;;
    cloud-init) case $1 in status) echo "status: done" ;; esac ;;
    useradd | adduser) own_users "$@" ;;
    dpkg) query_only "$@" ;;
    install) changes_mode_only "$@" ;;
    ssh-keygen) own_host_keys "$@" ;;
    apt-get | apt | aptitude | yum | dnf | snap | add-apt-repository)
        say "recorded, nothing downloaded (--real-packages installs for real at the level full)" ;;
    *) say "recorded, nothing changed" ;;
esac
