# bottom, top of the numbers in column r and its limits `low_column`, `high_column`, which may be empty; bottom is not
# above 0. Noise ceilings are drawn, as draw_ceiling says, unless they would squeeze the rest: then write_ceiling says to
# write them instead.
value_of(name) = strcol("kind") eq "ceiling" ? NaN : column(name)
stats data using (value_of("r")) nooutput name "r"
bottom = r_min < 0 ? r_min : 0
top = r_max
stats data using (value_of(low_column)) nooutput name "low"
if (exists("low_min")) { bottom = low_min < bottom ? low_min : bottom }
stats data using (value_of(high_column)) nooutput name "high"
if (exists("high_max")) { top = high_max > top ? high_max : top }
stats data using (strcol("kind") eq "ceiling" ? column("r") : NaN) nooutput name "ceiling"
has_ceiling = exists("ceiling_max")
draw_ceiling = has_ceiling ? ceiling_max <= 1.6 * top : 0
write_ceiling = has_ceiling && !draw_ceiling
if (draw_ceiling) { top = ceiling_max > top ? ceiling_max : top }
if (write_ceiling) { top = top + 0.1 * (top - bottom) }
