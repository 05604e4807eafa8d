# Lines of alignment over layers, one per objective, one panel per ROI (and model), bands over subjects and seeds,
# noise ceilings.
# Run by `braintune figures`, which sets: analysis (the folder of scripts), data (CSV), stem (output without
# extension), n_panel, panel[], first[], last[] (rows of a panel), n_roi, n_model, key[], key_count, colour[],
# shade[], subject[], subject_count, n_subject, layer_low, layer_high, metric.
load analysis . "style.gp"
n_column = n_model > 1 && n_roi <= 4 ? n_roi : (n_panel < 4 ? n_panel : n_panel == 4 ? 2 : n_panel <= 6 ? 3 : 4)
n_row = (n_panel + n_column - 1) / n_column
width = n_panel > 2 ? 18.3 : 8.9
if (n_panel == 4 && n_model == 1) { width = 12 }
left = 1.25
low_column = "low"
high_column = "high"
load analysis . "range.gp"
n_key = key_count + draw_ceiling
array key_text[n_key]
array key_kind[n_key]
array key_colour[n_key]
do for [k = 1:key_count] { key_text[k] = key[k]; key_kind[k] = "line"; key_colour[k] = colour[k] }
if (draw_ceiling) { key_text[n_key] = "noise ceiling"; key_kind[n_key] = "dashes"; key_colour[n_key] = 0x000000 }
legend_draw = 0
load analysis . "legend.gp"
row_height = n_column == 1 ? 4.9 : 4.4
height = head + n_row * row_height + 0.35

if (layer_high - layer_low <= 6) { set xtics 1 } else { set xtics 2 }
if (layer_high - layer_low > 16) { set xtics 4 }
margin = 0.03 * (layer_high - layer_low) + 0.1
set xrange [layer_low - margin:layer_high + margin]
set yrange [(bottom < 0 ? bottom - 0.04 * (top - bottom) : 0):top + 0.05 * (top - bottom)]

pick(kind, p) = strcol("kind") eq kind && int(column("panel_index")) == p
of(kind, p, k) = pick(kind, p) && int(column("key_index")) == k
one(p, k, s) = of("subject", p, k) && strcol("subject") eq s

do for [format in "pdf png"] {
  eval terminal_of(format)
  set output stem . "." . format
  set multiplot
  do for [p = 1:n_panel] {
    c = (p - 1) % n_column
    at_row = (p - 1) / n_column
    last_row = p + n_column > n_panel
    set lmargin at screen (left + c * (width - left) / n_column) / width
    set rmargin at screen (left + (c + 1) * (width - left) / n_column - 0.3) / width
    set tmargin at screen 1 - (head + at_row * row_height + 0.4) / height
    set bmargin at screen 1 - (head + (at_row + 1) * row_height - 0.45) / height
    set title panel[p] offset 0, -0.8
    if (last_row) { set xlabel "layer" offset 0, 0.8 } else { unset xlabel }
    set xtics offset 0, 0.3
    set format y (c == 0 ? "%g" : "")
    if (c == 0) { set label 1 r_label(metric) at screen 0.25 / width, graph 0.5 center rotate } else { unset label 1 }
    legend_draw = p == 1 ? 1 : 2
    load analysis . "legend.gp"
    plot for [k = 1:key_count] data every ::first[p]::last[p] using (of("line", p, k) ? column("layer") : 1/0):"low":"high" \
           with filledcurves fs solid noborder lc rgb opaque(colour[k], 0.15) notitle, \
         data every ::first[p]::last[p] using (write_ceiling && pick("ceiling", p) ? layer_high + margin : NaN):(top):(sprintf("ceiling %.2f", column("r"))) \
           with labels right tc rgb 0x404040 notitle, \
         data every ::first[p]::last[p] using (draw_ceiling && pick("ceiling", p) ? layer_low - margin : NaN):"r":(layer_high - layer_low + 2 * margin):(0) \
           with vectors nohead dt (6, 4) lw 0.9 lc rgb 0x000000 notitle, \
         for [k = 1:key_count] for [s = 1:n_subject] data every ::first[p]::last[p] using (one(p, k, subject[s]) ? column("layer") : 1/0):"r" \
           with lines lw 0.35 lc rgb opaque(colour[k], 0.6) notitle, \
         for [k = 1:key_count] data every ::first[p]::last[p] using (of("line", p, k) ? column("layer") : 1/0):"r" \
           with lines lw 1.9 lc rgb outline(colour[k]) notitle, \
         for [k = 1:key_count] data every ::first[p]::last[p] using (of("line", p, k) ? column("layer") : 1/0):"r" \
           with linespoints pt 7 ps 0.2 lw 1.2 lc rgb colour[k] notitle
  }
  unset multiplot
  unset output
}
