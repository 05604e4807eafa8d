/* What an attention's bias is made of: gates of queries, a table's rows by distance; and their adjoints. */
#include "device/backward.h"
#include "device/internal.h"

#include <math.h>

/* --- as attention reads it -------------------------------------------------------------------------------------------
 */

size_t bt_bias_column(const bt_attention_bias *bias, size_t query, size_t n_query, size_t n_key)
{
    return bias->distances.columns / 2 + query + n_key - n_query;
}

/* Every query stands at a row of its keys, whose distances are all there. */
static bool reaches(size_t reach, bt_sequences queries, bt_sequences keys)
{
    for (size_t s = 0; s < keys.n; ++s) {
        const size_t n_query = queries.offsets[s + 1] - queries.offsets[s];
        const size_t n_key = keys.offsets[s + 1] - keys.offsets[s];
        if (n_query > n_key || n_key > reach) return false;
    }
    return true;
}

bt_status bt_bias_floats(const bt_attention_bias *bias, size_t heads, bt_sequences queries, bt_sequences keys,
                         const char *call, float **gates, float **distances)
{
    bt_status status = BT_OK;
    const bt_matrix gate = bias->gates, distance = bias->distances;
    *gates = *distances = NULL;
    if (!gate.buffer && !distance.buffer) return BT_OK;
    BT_TRY(bt_floats(gate, call, gates));
    BT_TRY(bt_floats(distance, call, distances));
    BT_CHECK(gate.columns == heads && gate.rows >= queries.offsets[queries.n] && distance.rows == heads &&
                 distance.columns % 2 == 1 && reaches(distance.columns / 2 + 1, queries, keys),
             BT_ERR_INTERNAL, "%s: gates (%zu, %zu) and distances (%zu, %zu) do not fit %zu heads and the sequences",
             call, gate.rows, gate.columns, distance.rows, distance.columns, heads);
cleanup:
    return status;
}

/* --- gates -----------------------------------------------------------------------------------------------------------
 */

typedef struct {
    float a, c; /* sigmoids of the two sums of a row and head */
} gate_parts;

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static gate_parts parts_of(const float z[BT_GATE_UNITS])
{
    return (gate_parts){sigmoid(z[0] + z[1] + z[2] + z[3]), sigmoid(z[4] + z[5] + z[6] + z[7])};
}

static bt_status check_gates(const char *call, bt_matrix z, bt_matrix factors, bt_matrix gates)
{
    if (z.columns == BT_GATE_UNITS * gates.columns && factors.columns == gates.columns && z.rows == gates.rows)
        return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "%s: sums (%zu, %zu), %zu factors, gates (%zu, %zu)", call, z.rows, z.columns,
                   factors.columns, gates.rows, gates.columns);
}

bt_status bt_gates(bt_device *device, bt_matrix z, bt_matrix factors, bt_matrix gates)
{
    bt_status status = BT_OK;
    float *sums = NULL, *factor = NULL, *gate = NULL;
    BT_TRY(check_gates("bt_gates", z, factors, gates));
    BT_TRY(bt_floats(z, "bt_gates", &sums));
    BT_TRY(bt_floats(factors, "bt_gates", &factor));
    BT_TRY(bt_floats(gates, "bt_gates", &gate));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < z.rows; ++i)
        for (size_t h = 0; h < gates.columns; ++h) {
            const gate_parts p = parts_of(sums + i * z.stride + h * BT_GATE_UNITS);
            gate[i * gates.stride + h] = p.a * (p.c * factor[h] - 1.0f) + 2.0f;
        }
cleanup:
    return status;
}

/* One head, rows in order. dfactor NULL: not asked for. */
static void head_backward(const float *z, size_t z_stride, const float *dgate, size_t stride, size_t n, float factor,
                          float *dz, size_t dz_stride, float *dfactor)
{
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
        const gate_parts p = parts_of(z + i * z_stride);
        const float g = dgate[i * stride];
        const float da = g * (p.c * factor - 1.0f), dc = g * p.a * factor;
        for (size_t u = 0; u < BT_GATE_UNITS; ++u)
            dz[i * dz_stride + u] = u < BT_GATE_UNITS / 2 ? da * p.a * (1.0f - p.a) : dc * p.c * (1.0f - p.c);
        sum += (double)g * (double)p.a * (double)p.c;
    }
    if (dfactor) *dfactor += (float)sum;
}

bt_status bt_gates_backward(bt_device *device, bt_matrix z, bt_matrix factors, bt_matrix dgates, bt_matrix dz,
                            bt_matrix dfactors)
{
    bt_status status = BT_OK;
    static const char *const call = "bt_gates_backward";
    float *sums = NULL, *factor = NULL, *from = NULL, *to = NULL, *dfactor = NULL;
    BT_TRY(check_gates(call, z, factors, dgates));
    BT_TRY(check_gates(call, dz, dfactors.buffer ? dfactors : factors, dgates));
    BT_TRY(bt_floats(z, call, &sums));
    BT_TRY(bt_floats(factors, call, &factor));
    BT_TRY(bt_floats(dgates, call, &from));
    BT_TRY(bt_floats(dz, call, &to));
    BT_TRY(bt_floats_or_none(dfactors, call, &dfactor));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t h = 0; h < dgates.columns; ++h)
        head_backward(sums + h * BT_GATE_UNITS, z.stride, from + h, dgates.stride, z.rows, factor[h],
                      to + h * BT_GATE_UNITS, dz.stride, dfactor ? dfactor + h : NULL);
cleanup:
    return status;
}
