# SPDX-License-Identifier: GPL-2.0-only
#
# The steps of a buffer's life, side by side.
load bench."/style.gnuplot"

set title "What each step of a buffer's life takes: medians" font ",15"
set ylabel "time"
set style fill solid 0.85 noborder
nr = words(peers)
width = 0.88 / nr
place(row, n) = row + (n - (nr + 1) / 2.0) * width
set boxwidth width * 0.92
set xrange [-0.6:6.6]
set yrange [0.5:highest * (nr > 3 ? 6 : 2.5)]
set key outside top center horizontal Left reverse noenhanced samplen 1.5 width 2
set xtics scale 0
# Figures above bars stand upright where bars are narrow.
figures = nr > 3 ? "left rotate by 90 offset 0,0.4" : "center offset 0,0.6"

plot for [n = 1:nr] data.".dat" using (place($0, n)):n + 1 \
		with boxes linecolor rgb colour(n) title word(peers, n), \
	for [n = 1:nr] data.".dat" using (place($0, n)):n + 1:(duration(column(n + 1))) \
		with labels @figures font ",8.5" textcolor rgb colour(n) notitle, \
	data.".dat" using 0:(NaN):xtic(1) notitle
