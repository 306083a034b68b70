# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of dmaheap for bash.  What there is, the tool's own help says.

# The verb of the line, or nothing.
_dmaheap_verb() {
	local word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* ]] || {
			echo "$word"
			return
		}
	done
}

_dmaheap_heaps() {
	dmaheap list -o NAME --raw --noheadings 2>/dev/null
}

# Of columns with commas, the last one is completed.
_dmaheap_columns() {
	local verb=$1 word=$2 before=''
	[[ $word != *[,+]* ]] || before=${word%"${word##*[,+]}"}
	compgen -P "$before" -W "$(dmaheap "$verb" --help 2>/dev/null |
		sed -nE '/^Columns:/,/^$/s/^  [* ] ([^ ]+) .*/\1/p')" -- "${word##*[,+]}"
}

_dmaheap_words() {
	local verb=$1 word=$2
	case $verb:$word in
	:*) dmaheap --help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p' ;;
	*:-*) dmaheap "$verb" --help 2>/dev/null | sed -nE 's/^  (-., |    )(--[a-z]+).*/\2/p' ;;
	info:* | bench:*) _dmaheap_heaps ;;
	pool:*)
		_dmaheap_heaps
		printf '%s\n' fill drain
		;;
	ps:*) dmaheap ps -o PID --raw --noheadings 2>/dev/null ;;
	who:*) dmaheap buffers -o INODE --raw --noheadings 2>/dev/null ;;
	esac
}

# Lines of standard input that begin so.  Not by compgen -W, which would run what names have in them.
_dmaheap_reply() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		[[ $line != "$1"* ]] || COMPREPLY+=("$(printf %q "$line")")
	done
}

_dmaheap() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb
	verb=$(_dmaheap_verb)
	case $before in
	-o | --output) mapfile -t COMPREPLY < <(_dmaheap_columns "$verb" "$word") ;;
	-H | --heap) _dmaheap_reply "$word" < <(_dmaheap_heaps) ;;
	--need | --prefer)
		mapfile -t COMPREPLY < <(compgen -W \
			"cached uncached scattered contiguous protected below4g" -- "$word")
		;;
	*) _dmaheap_reply "$word" < <(_dmaheap_words "$verb" "$word") ;;
	esac
}

complete -F _dmaheap dmaheap
