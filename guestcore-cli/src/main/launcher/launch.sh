# shellcheck shell=sh
# Starts the program; read by ./guestcore of a checkout and by bin/guestcore of an installed image, so that both start
# it alike. Callers set:
#   java         the java command
#   cache        the start-up cache, which may be missing
#   module_path  where the modules are, or nothing where they are part of the runtime

# The heap holds no guest memory, so it stays small whatever the size of the dump. Should Java itself fail, it leaves no file
# behind: a core dump of this program would hold memory of the guest.
java_options='-Xmx64m -XX:MaxDirectMemorySize=2g -XX:CompressedClassSpaceSize=64m -XX:+UseSerialGC -XX:-UsePerfData
    -XX:ErrorFile=/dev/null -XX:-DumpReplayDataOnError -XX:-CreateCoredumpOnCrash -XX:+DisplayVMOutputToStderr
    -Xlog:disable -Xlog:all=error:stderr
    --enable-native-access=dev.guestcore --sun-misc-unsafe-memory-access=allow'

# Commands that answer at once are through before the second compiler has earned its time back, and a capture copies by
# system calls while the compiler takes the processor from it and from the guest: for these, sets quick.
tell_quick() {
    quick=
    case ${1:-} in
        capture | info | regs | read | translate | formats | completion | man | -*) quick=-XX:TieredStopAtLevel=1 ;;
    esac
    for word in "$@"; do
        case $word in
            # These reckon with every byte.
            --scan | --manifest* | avml | kdump | --to=avml | --to=kdump) quick= ;;
        esac
    done
}

# Java reserves address space for itself, and ends in a page of text where there is none.
require_address_space() {
    limit=$(ulimit -v 2>/dev/null)
    case $limit in
        '' | *[!0-9]*) return ;;
    esac
    if [ "$limit" -lt 1572864 ]; then
        echo "guestcore: only $limit KiB of address space are allowed (ulimit -v); Java needs 1.5 GiB: raise the limit" >&2
        exit 1
    fi
}

# Ends in the program with these arguments.
launch() {
    require_address_space
    tell_quick "$@"
    # In these locales Java cannot name files that are not ASCII.
    case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
        '' | C | POSIX) export LC_ALL=C.UTF-8 ;;
    esac
    set -- -m dev.guestcore.cli/dev.guestcore.cli.Main "$@"
    if [ -t 1 ] || [ -t 2 ]; then
        if [ -t 1 ]; then
            set -- -Dguestcore.terminal.out=true "$@"
            size=$(stty size 2>/dev/null <&1)
        else
            size=$(stty size 2>/dev/null <&2)
        fi
        [ -t 2 ] && set -- -Dguestcore.terminal.err=true "$@"
        # Rows and columns; a terminal that does not know its size says 0.
        width=${size##* }
        height=${size%% *}
        set -- "-Dguestcore.terminal.width=$((${width:-0} > 0 ? width : 80))" \
            "-Dguestcore.terminal.height=$((${height:-0} > 0 ? height : 24))" "$@"
    fi
    # What to type for the next command: where the shell finds this program by its name, the name will do.
    name=$0
    [ "$(command -v guestcore)" = "$0" ] && name=guestcore
    set -- "-Dguestcore.command=$name" "$@"
    [ -e "$cache" ] && set -- "-XX:AOTCache=$cache" "$@"
    [ -n "$module_path" ] && set -- -p "$module_path" "$@"
    # shellcheck disable=SC2086 # these are meant to be several words
    exec "$java" $java_options $quick ${GUESTCORE_JAVA_OPTIONS:-} "$@"
}

# Notes down in the cache what a run needs and where its time goes, so that later ones start and warm up quicker. Works
# in the folder $1.
train() {
    set -- "-XX:AOTCacheOutput=$cache" -m dev.guestcore.cli/dev.guestcore.cli.Training "$1"
    [ -n "$module_path" ] && set -- -p "$module_path" "$@"
    # shellcheck disable=SC2086 # these are meant to be several words
    "$java" $java_options "$@" </dev/null >/dev/null 2>&1
}
