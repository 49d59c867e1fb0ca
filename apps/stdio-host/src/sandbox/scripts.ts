/**
 * Runs as the first process of the new namespaces, with capabilities in them: gives the server a private /tmp, /dev/shm
 * and a PATCHBAY_HOME in which only its own data directory exists, then drops every capability for good.
 * Positional: mount setpriv sh confined-script scratch home data-relative-to-home data keep-count keep… rest…
 * Paths are arguments, never text of the script, so that no character in them means anything to the shell.
 * Everything is built inside one tmpfs and reached by its relative path, because covering one tree may hide another.
 */
export const MOUNT_SCRIPT = `
set -eu
mount=$1 setpriv=$2 sh=$3 confined=$4 scratch=$5 home=$6 rel=$7 data=$8 keeps=$9
shift 9
"$mount" -t tmpfs -o mode=0755,nosuid,nodev,size=512m tmpfs "$scratch"
cd "$scratch"
mkdir home tmp
chmod 1777 tmp
mkdir -p "./home/$rel"
"$mount" -c --rbind "$data" "./home/$rel"
while [ "$keeps" -gt 0 ]; do
  keeps=$((keeps - 1))
  if [ -d "$1" ]; then mkdir -p ".$1"; else : > ".$1"; fi
  "$mount" -c --rbind "$1" ".$1"
  shift
done
"$mount" -c --rbind ./tmp /tmp
mkdir -p "$home"
"$mount" -c --rbind ./home "$home"
if [ -d /dev/shm ]; then "$mount" -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs /dev/shm; fi
cd "$data"
exec "$setpriv" --bounding-set -all --inh-caps -all --no-new-privs -- "$sh" -c "$confined" sh "$@"
`;

/**
 * Runs without capabilities: only here do the server's own variables get their names, so that LD_PRELOAD or BASH_ENV of
 * a registration never reaches a program that could still undo the mounts. Positional: count name… command arg…
 */
export const CONFINED_SCRIPT = `
__pb_left=$1 __pb_index=0
shift
while [ "$__pb_left" -gt 0 ]; do
  __pb_left=$((__pb_left - 1))
  __pb_name=$1
  shift
  eval "__pb_value=\\$PB_$__pb_index"
  unset "PB_$__pb_index"
  export "$__pb_name=$__pb_value"
  __pb_index=$((__pb_index + 1))
done
unset OLDPWD
exec "$@"
`;
