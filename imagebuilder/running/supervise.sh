# Runs one script at a time on a machine, as root, for a program at the other end of a connection.
#
# A script's two outputs are two pipes, each read over a connection of its own, so nothing it prints can be taken for
# anything else. Both end with a mark the script cannot know, followed by its exit code, or by `late`.
#   take ID              keep a script: the mark in the first line of the input, the script in the rest
#   run ID SECONDS DIR   start it and give its standard output; SECONDS may be `none`, DIR may be empty
#   errors ID            give its standard error; it does not begin before somebody reads both
#   end ID               end it with all it has started
#   put FILE DIR         write the input to a file
#   get FILE DIR         give a file
#   leave                remove this folder

here=${0%/*}

take() {
    umask 077
    mkdir "$here/$1" && cd "$here/$1" && mkfifo out err || return
    IFS= read -r mark && printf '%s\n' "$mark" > mark && cat > script
}

run() {
    cd "$here/$1" || return
    set -m # it outlives a connection that breaks, to see the script's end and to tidy up
    supervise "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 &
    echo $! > supervisor
    exec cat out
}

supervise() {
    exec 3> out 4> err
    IFS= read -r mark < mark
    set -m # every child leads a group of its own
    (
        # as AWSTOE's agent has it: no traces of a login, a root's PATH
        unset SUDO_USER SUDO_UID SUDO_GID SUDO_COMMAND SSH_CLIENT SSH_CONNECTION SSH_TTY MAIL OLDPWD
        case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ;; esac
        export PATH RAMPART_SCRIPT=$here/$1
        umask 022
        cd -- "${3:-${TMPDIR:-/tmp}}" && exec /bin/bash "$here/$1/script"
    ) >&3 2>&4 3>&- 4>&- &
    script=$!
    echo "$script" > started
    if [ "$2" != none ]; then
        (sleep "$2"; : > late; end_tree "$script" "$1") 3>&- 4>&- &
        watch=$!
        echo "$watch" > watch
    fi
    trap '' PIPE # one reader's end is not the other's
    set +m # else a script that is stopped would count as ended
    wait "$script"
    code=$?
    if [ -e late ]; then
        code=late
        wait "$watch"
    elif [ "$2" != none ]; then
        kill -KILL -- "-$watch"
    fi
    cd "$here" && rm -rf "${here:?}/$1"
    # with the standard output's end nobody waits for the rest
    printf '%s %s\n' "$mark" "$code" >&4
    printf '%s %s\n' "$mark" "$code" >&3
}

errors() {
    exec cat "$here/$1/err"
}

end() {
    cd "$here/$1" 2> /dev/null || return 0
    if [ -s started ]; then end_tree "$(cat started)" "$1"; fi
    if [ -s watch ]; then kill -KILL -- "-$(cat watch)"; fi
    if [ -s supervisor ]; then kill -KILL "$(cat supervisor)"; fi
    : <> out # whoever waits for a writer has seen one now
    : <> err
    cd "$here" && rm -rf "${here:?}/$1"
} 2> /dev/null

# Kill a process with all that descends from it, also what has left its group or its parent: a first pass stops them,
# so that none can start another one while it is looked for.
end_tree() {
    local first=$1 id=$2 all=" $1 " before= pid stat fields
    kill -STOP "$first"
    while [ -r /proc/self/stat ] && [ "$all" != "$before" ]; do
        before=$all
        for pid in $(grep -lzxF "RAMPART_SCRIPT=$here/$id" /proc/[0-9]*/environ); do
            pid=${pid#/proc/}
            pid=${pid%/environ}
            case $all in *" $pid "*) ;; *) all="$all$pid "; kill -STOP "$pid" ;; esac
        done
        for stat in /proc/[0-9]*/stat; do
            read -r stat < "$stat" || continue
            pid=${stat%% *}
            fields=(${stat##*) }) # state, parent, group, session
            case $all in
                *" $pid "*) ;;
                *" ${fields[1]} "* | *" ${fields[2]} "* | *" ${fields[3]} "*) all="$all$pid "; kill -STOP "$pid" ;;
            esac
        done
    done
    kill -KILL -- "-$first"
    kill -KILL $all
} 2> /dev/null

put() {
    cd -- "${2:-${TMPDIR:-/tmp}}" && cat > "$1"
}

get() {
    cd -- "${2:-${TMPDIR:-/tmp}}" && exec cat < "$1"
}

leave() {
    rm -rf "${here:?}"
}

"$@"
