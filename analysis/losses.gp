# Losses of tuning over epochs, one panel per model and objective: training dashed, validation solid, single tunings
# thin, their mean thick, circles where the state was kept; below, the validation correlation.
# Run by `braintune figures`, which sets: analysis (the folder of scripts), data (CSV), stem (output without
# extension), n_panel, panel_column[], panel_line[], n_column, n_line, panel[], first[], last[] (rows of a panel),
# axis[], colour[], low[], high[], own_axis[] (0: that of the panel to the left), has_r.
load analysis . "style.gp"
width = n_column > 2 ? 18.3 : 8.9
left = 1.25
n_key = 3
array key_text[3] = ["training", "validation", "state that was kept"]
array key_kind[3] = ["dashes", "line", "circle"]
array key_colour[3] = [0, 0, 0]
legend_draw = 0
load analysis . "legend.gp"
panel_width = (width - 0.3) / n_column
title_height = 0.7
loss_height = 3.6 + title_height
r_height = has_r ? 2.9 : 0
line_height = loss_height + r_height + 0.25
height = head + n_line * line_height + 0.05

stats data using "epoch" nooutput name "epoch"
set xrange [epoch_min:epoch_max + (epoch_max == epoch_min)]
span = epoch_max - epoch_min
step = span <= 6 ? 1 : span <= 12 ? 2 : span <= 35 ? 5 : 10
set xtics step
if (has_r) {
  stats data using (strcol("curve") eq "r" ? column("value") : NaN) nooutput name "r"
  r_top = r_max > 0 ? r_max : 0
  r_bottom = r_min < 0 ? r_min : 0
}
curve(kind, p, c) = strcol("kind") eq kind && int(column("series_index")) == p && strcol("curve") eq c
# Rows of other curves stand between one run's and the next one's: there the line breaks.
x(chosen) = chosen ? column("epoch") : 1/0

do for [format in "pdf png"] {
  eval terminal_of(format)
  set output stem . "." . format
  set multiplot
  do for [p = 1:n_panel] {
    c = panel_column[p]
    set lmargin at screen (left + c * panel_width) / width
    set rmargin at screen ((c + 1) * panel_width + left - 1.1) / width
    set tmargin at screen 1 - (head + panel_line[p] * line_height + title_height) / height
    set bmargin at screen 1 - (head + panel_line[p] * line_height + loss_height - 0.45) / height
    set title panel[p] offset 0, -0.8
    margin = high[p] > low[p] ? 0.06 * (high[p] - low[p]) : 0.5
    set yrange [low[p] - margin:high[p] + margin]
    if (c == 0 || axis[p] ne axis[1]) { set label 1 axis[p] at screen (c * panel_width + 0.25) / width, graph 0.5 center rotate } else { unset label 1 }
    set format y (own_axis[p] ? "%g" : "")
    set format x (has_r ? "" : "%g")
    set xtics offset 0, 0.3
    if (has_r) { unset xlabel } else { set xlabel "completed epochs" offset 0, 0.8 }
    legend_draw = p == 1 ? 1 : 2
    load analysis . "legend.gp"
    plot data every ::first[p]::last[p] using (x(curve("run", p, "train"))):"value" with lines dt (6, 4) lw 0.4 lc rgb colour[p] notitle, \
         data every ::first[p]::last[p] using (x(curve("run", p, "validate"))):"value" with lines lw 0.4 lc rgb colour[p] notitle, \
         data every ::first[p]::last[p] using (x(curve("mean", p, "train"))):"value" with lines dt (6, 4) lw 2 lc rgb outline(colour[p]) notitle, \
         data every ::first[p]::last[p] using (x(curve("mean", p, "validate"))):"value" with lines lw 2 lc rgb outline(colour[p]) notitle, \
         data every ::first[p]::last[p] using (x(curve("mean", p, "train"))):"value" with lines dt (6, 4) lw 1.4 lc rgb colour[p] notitle, \
         data every ::first[p]::last[p] using (x(curve("mean", p, "validate"))):"value" with lines lw 1.4 lc rgb colour[p] notitle, \
         data every ::first[p]::last[p] using (x(curve("best", p, "validate"))):"value" with points pt 7 ps 0.3 lc rgb 0xffffff notitle, \
         data every ::first[p]::last[p] using (x(curve("best", p, "validate"))):"value" with points pt 6 ps 0.3 lw 0.7 lc rgb 0x000000 notitle
    if (has_r) {
      unset title
      legend_draw = 2
      load analysis . "legend.gp"
      set format x "%g"
      set xlabel "completed epochs" offset 0, 0.8
      if (c == 0) { set label 1 "validation r" at screen 0.25 / width, graph 0.5 center rotate } else { unset label 1 }
      set format y (c == 0 ? "%g" : "")
      set tmargin at screen 1 - (head + panel_line[p] * line_height + loss_height - 0.15) / height
      set bmargin at screen 1 - (head + (panel_line[p] + 1) * line_height - 0.8) / height
      set yrange [r_bottom - 0.05 * (r_top - r_bottom):r_top + 0.05 * (r_top - r_bottom)]
      plot data every ::first[p]::last[p] using (x(curve("run", p, "r"))):"value" with lines lw 0.4 lc rgb colour[p] notitle, \
           data every ::first[p]::last[p] using (x(curve("mean", p, "r"))):"value" with lines lw 2 lc rgb outline(colour[p]) notitle, \
           data every ::first[p]::last[p] using (x(curve("mean", p, "r"))):"value" with lines lw 1.4 lc rgb colour[p] notitle, \
           data every ::first[p]::last[p] using (x(curve("best", p, "r"))):"value" with points pt 7 ps 0.3 lc rgb 0xffffff notitle, \
           data every ::first[p]::last[p] using (x(curve("best", p, "r"))):"value" with points pt 6 ps 0.3 lw 0.7 lc rgb 0x000000 notitle
    }
  }
  unset multiplot
  unset output
}
