# Bars of alignment per ROI and objective, one panel per model: single subjects over them joined by thin lines, 95 %
# intervals, noise ceilings; hatched where a cell is missing.
# Run by `braintune figures`, which sets: analysis (the folder of scripts), data (CSV), stem (output without
# extension), n_panel, panel[], n_column, n_roi, roi[], key[], key_count, colour[], shade[], bar_width, label_lines,
# metric, n_missing, wide (1: two columns of a journal), turned (1: ROI names at an angle).
load analysis . "style.gp"
width = wide ? 18.3 : 8.9
n_row = (n_panel + n_column - 1) / n_column
left = 1.25
low_column = "ci_low"
high_column = "ci_high"
load analysis . "range.gp"
narrow = (width - left) / (n_column * n_roi) < 1.8 # too narrow for "ceiling 0.50"
explain = write_ceiling && narrow
n_key = key_count + (n_missing > 0) + draw_ceiling + explain
array key_text[n_key]
array key_kind[n_key]
array key_colour[n_key]
array key_shade[n_key]
do for [k = 1:key_count] { key_text[k] = key[k]; key_kind[k] = "box"; key_colour[k] = colour[k]; key_shade[k] = shade[k] }
if (n_missing > 0) { key_text[key_count + 1] = "missing"; key_kind[key_count + 1] = "hatch"; key_colour[key_count + 1] = 0x808080 }
if (explain) { key_text[n_key] = "numbers: noise ceiling"; key_kind[n_key] = "words"; key_colour[n_key] = 0x404040 }
if (draw_ceiling) { key_text[n_key] = "noise ceiling"; key_kind[n_key] = "dashes"; key_colour[n_key] = 0x000000 }
legend_draw = 0
load analysis . "legend.gp"
title_height = 0.35
foot = 0.33 * label_lines + 0.2
row_height = title_height + foot + 4.0
height = head + n_row * row_height
set yrange [(bottom < 0 ? bottom - 0.04 * (top - bottom) : 0):top + 0.06 * (top - bottom)]
set boxwidth bar_width * 0.92
set xrange [-0.55:n_roi - 0.45]
set border 2
set xtics () scale 0 offset 0, 0.3
do for [i = 1:n_roi] { set xtics add (roi[i] i - 1) }
if (turned) { set xtics rotate by 35 right }

cap = 0.045 / width # cm of half a bar's end
hatch = 0.12 * (top - bottom)
pick(kind, p) = strcol("kind") eq kind && int(column("panel_index")) == p
cell(kind, p, k) = pick(kind, p) && int(column("key_index")) == k

do for [format in "pdf png"] {
  eval terminal_of(format)
  set output stem . "." . format
  set multiplot
  do for [p = 1:n_panel] {
    c = (p - 1) % n_column
    at_row = (p - 1) / n_column
    set lmargin at screen (left + c * (width - left - 0.1) / n_column) / width
    set rmargin at screen (left + (c + 1) * (width - left - 0.1) / n_column - 0.15) / width
    set tmargin at screen 1 - (head + at_row * row_height + title_height) / height
    set bmargin at screen 1 - (head + (at_row + 1) * row_height - foot) / height
    set title panel[p] offset 0, -0.8
    if (c == 0) {
      set ytics nomirror out scale 0.5
      set border 2
      set label 1 r_label(metric) at screen 0.25 / width, graph 0.5 center rotate
    } else {
      unset ytics
      set border 0
      unset label 1
    }
    legend_draw = p == 1 ? 1 : 2
    load analysis . "legend.gp"
    plot for [k = 1:key_count] data using (cell("bar", p, k) ? column("x") : NaN):"r" with boxes fs solid shade[k] noborder lc rgb colour[k] notitle, \
         for [k = 1:key_count] data using (cell("missing", p, k) ? column("x") : NaN):(hatch) \
           with boxes fs pattern 4 border lc rgb colour[k] lc rgb colour[k] lw 0.5 notitle, \
         data using (write_ceiling && pick("ceiling", p) ? column("x") : NaN):(top):(sprintf(narrow ? "%.2f" : "ceiling %.2f", column("r"))) \
           with labels tc rgb 0x404040 notitle, \
         data using (draw_ceiling && pick("ceiling", p) ? column("x") - 0.44 : NaN):"r":(0.88):(0) with vectors nohead dt (6, 4) lw 0.9 \
           lc rgb 0x000000 notitle, \
         data using (pick("pair", p) ? column("x") : NaN):"r":(column("x_to") - column("x")):(column("r_to") - column("r")) \
           with vectors nohead lw 0.4 lc rgb 0x707070 notitle, \
         data using (pick("seed", p) ? column("x") : NaN):"r" with points pt 7 ps 0.1 lc rgb 0x000000 notitle, \
         data using (pick("subject", p) ? column("x") : NaN):"r" with points pt 7 ps 0.26 lc rgb 0xffffff notitle, \
         data using (pick("subject", p) ? column("x") : NaN):"r" with points pt 6 ps 0.26 lw 0.5 lc rgb 0x000000 notitle, \
         data using (pick("bar", p) ? column("x") : NaN):"ci_low":(0):(column("ci_high") - column("ci_low")) \
           with vectors heads size screen cap, 90 lw 0.8 lc rgb 0x000000 notitle, \
         data using (pick("star", p) ? column("x") : NaN):"r":("*") with labels offset 0, 0.25 font face . ',9' notitle
  }
  unset multiplot
  unset output
}
