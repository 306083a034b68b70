# SPDX-License-Identifier: GPL-2.0-only
#
# What all plots have in common.  Given by -e: format (svg, png), bench (this folder), and data
# and out, without their endings.  data.vars says which peers there are, and on what machine.
load data.".vars"

if (format eq "png") {
	set terminal pngcairo size 1200,675 font "DejaVu Sans,12" background "white"
} else {
	# Its points are pixels, where those of a PNG are 4/3 of one.
	set terminal svg size 1200,675 font "DejaVu Sans,sans-serif,12" fontscale 1.33 background "white"
}
set output out.".".format
set encoding utf8

# Colours that can be told apart by everybody; a peer has the same one in each plot.
array colours[8] = [0xd55e00, 0x0072b2, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x000000, 0x777777]
colour(n) = colours[(n - 1) % 8 + 1]

# A duration in microseconds, as one says it.
duration(us) = us < 1 ? sprintf("%.0f ns", us * 1000) : \
	us < 9.95 ? sprintf("%.1f µs", us) : \
	us < 1000 ? sprintf("%.0f µs", us) : \
	us < 9950 ? sprintf("%.1f ms", us / 1000) : \
	us < 1e6 ? sprintf("%.0f ms", us / 1000) : sprintf("%.1f s", us / 1e6)

set border 3 linecolor "#666666"
set tics nomirror textcolor "#333333"
set grid ytics linecolor "#e4e4e4" linetype 1 linewidth 1
set logscale y
set ytics ("100 ns" 0.1, "1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, \
	"100 ms" 1e5, "1 s" 1e6, "10 s" 1e7, "100 s" 1e8)
unset key
# The names of lines, right of them; not over each other.
longest = 0
do for [n = 1:words(peers)] {
	longest = strlen(word(peers, n)) > longest ? strlen(word(peers, n)) : longest
}
names = "set rmargin 4 + longest; do for [n = 1:words(peers)] {" . \
	"set label 10 + n word(peers, n) " . \
	"at graph 1.01, first real(word(heights, n)) left noenhanced textcolor rgb colour(n) }"
set label 1 caption at screen 0.99, screen 0.035 right font ",10" textcolor "#666666" noenhanced
set bmargin 6.5
