/* NIfTI-1 (nifti1.h) and NIfTI-2 (nifti2.h) headers: where the fields are, and what they may hold. */
#include "io/nifti_internal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Byte positions of what we use. */
typedef struct {
    size_t dim, datatype, bitpix, pixdim, offset, slope, intercept, units, magic;
    size_t dim_size, real_size; /* bytes of a dim[] entry and of a real number */
} layout;

static const layout layouts[2] = {
    {.dim = 40,
     .datatype = 70,
     .bitpix = 72,
     .pixdim = 76,
     .offset = 108,
     .slope = 112,
     .intercept = 116,
     .units = 123,
     .magic = 344,
     .dim_size = 2,
     .real_size = 4},
    {.dim = 16,
     .datatype = 12,
     .bitpix = 14,
     .pixdim = 104,
     .offset = 168,
     .slope = 176,
     .intercept = 184,
     .units = 500,
     .magic = 4,
     .dim_size = 8,
     .real_size = 8},
};

static const layout *layout_of(const bt_nifti_header *header)
{
    return &layouts[header->size == BT_NIFTI_2_SIZE];
}

static int64_t get_int(const bt_nifti_header *header, size_t at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
        value |= (uint64_t)header->bytes[at + (header->swap ? size - 1 - i : i)] << (8 * i);
    const unsigned unused = (unsigned)(64 - 8 * size);
    return (int64_t)(value << unused) >> unused; /* sign */
}

static double get_real(const bt_nifti_header *header, size_t at)
{
    const bool wide = layout_of(header)->real_size == 8;
    double value;
    bt_elements_convert(wide ? BT_ELEMENT_F64 : BT_ELEMENT_F32, header->swap, header->bytes + at, 1, 1, BT_F64, &value);
    return value;
}

static void put(bt_nifti_header *header, size_t at, size_t size, const void *value)
{
    const unsigned char *const from = value;
    for (size_t i = 0; i < size; ++i) header->bytes[at + i] = from[header->swap ? size - 1 - i : i];
}

static void put_int(bt_nifti_header *header, size_t at, size_t size, int64_t value)
{
    put(header, at, size, &value); /* little-endian: the low bytes come first */
}

static void put_real(bt_nifti_header *header, size_t at, double value)
{
    const float narrow = (float)value;
    if (layout_of(header)->real_size == 8)
        put(header, at, sizeof value, &value);
    else
        put(header, at, sizeof narrow, &narrow);
}

static bt_status parse_type(const char *path, bt_nifti_header *header)
{
    static const struct {
        int code;
        bt_element element;
    } known[] = {
        {2, BT_ELEMENT_U8},     {4, BT_ELEMENT_I16},    {8, BT_ELEMENT_I32},   {16, BT_ELEMENT_F32},
        {64, BT_ELEMENT_F64},   {256, BT_ELEMENT_I8},   {512, BT_ELEMENT_U16}, {768, BT_ELEMENT_U32},
        {1024, BT_ELEMENT_I64}, {1280, BT_ELEMENT_U64},
    };
    const layout *const l = layout_of(header);
    const int64_t code = get_int(header, l->datatype, 2), bits = get_int(header, l->bitpix, 2);
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
        if (known[i].code != code) continue;
        header->element = known[i].element;
        header->info.type = bt_element_name(header->element);
        if (bits != 8 * (int64_t)bt_element_size(header->element))
            return bt_fail(BT_ERR_INPUT, "%s: NIfTI header: bitpix %lld contradicts datatype %s; the file is damaged",
                           path, (long long)bits, header->info.type);
        return BT_OK;
    }
    return bt_fail(BT_ERR_INPUT,
                   "%s: NIfTI header: datatype %lld: expected an integer or float32 or float64 type; convert the image",
                   path, (long long)code);
}

static bt_status parse_shape(const char *path, bt_nifti_header *header)
{
    bt_status status = BT_OK;
    const layout *const l = layout_of(header);
    const int64_t rank = get_int(header, l->dim, l->dim_size);
    BT_CHECK(rank >= 1 && rank <= 7, BT_ERR_INPUT,
             "%s: NIfTI header: dim[0] = %lld: expected 1 to 7; the file is damaged", path, (long long)rank);
    for (int i = 0; i < 4; ++i) header->info.shape[i] = 1;
    for (size_t i = 1; i <= (size_t)rank; ++i) {
        const int64_t extent = get_int(header, l->dim + i * l->dim_size, l->dim_size);
        BT_CHECK(extent >= 1, BT_ERR_INPUT,
                 "%s: NIfTI header: dim[%zu] = %lld: expected at least 1; the file is damaged", path, i,
                 (long long)extent);
        BT_CHECK(i <= 4 || extent == 1, BT_ERR_INPUT,
                 "%s: expected an image of x, y, z and time, found %lld along axis %zu; split it", path,
                 (long long)extent, i);
        if (i <= 4) header->info.shape[i - 1] = (size_t)extent;
    }
    size_t bytes;
    BT_CHECK(bt_elements_span(4, header->info.shape, sizeof(double), &bytes), BT_ERR_INPUT,
             "%s: NIfTI header: the shape passes any file's size; the file is damaged", path);
cleanup:
    return status;
}

/* To mm and seconds; unknown units are taken for these. */
static void parse_spacing(bt_nifti_header *header)
{
    const layout *const l = layout_of(header);
    const unsigned units = header->bytes[header->swap && l->dim_size == 8 ? l->units + 3 : l->units];
    const double space = (units & 7) == 1 ? 1e3 : (units & 7) == 3 ? 1e-3 : 1;
    const double time = (units & 0x38) == 16 ? 1e-3 : (units & 0x38) == 24 ? 1e-6 : 1;
    for (size_t i = 0; i < 4; ++i)
        header->info.spacing[i] = get_real(header, l->pixdim + (i + 1) * l->real_size) * (i < 3 ? space : time);
}

static bt_status parse_values(const char *path, bt_nifti_header *header)
{
    bt_status status = BT_OK;
    const layout *const l = layout_of(header);
    header->slope = get_real(header, l->slope);
    header->intercept = get_real(header, l->intercept);
    if (header->slope == 0 || !isfinite(header->slope)) {
        header->slope = 1;
        header->intercept = 0;
    }
    BT_CHECK(isfinite(header->intercept), BT_ERR_INPUT,
             "%s: NIfTI header: scl_inter is not finite while scl_slope is %g; the file is damaged", path,
             header->slope);
    const double offset = l->real_size == 8 ? (double)get_int(header, l->offset, 8) : get_real(header, l->offset);
    BT_CHECK(offset >= (double)header->size && offset < 0x1p53 && offset == floor(offset), BT_ERR_INPUT,
             "%s: NIfTI header: vox_offset %g: expected at least %zu; the file is damaged", path, offset, header->size);
    header->offset = (size_t)offset;
cleanup:
    return status;
}

bt_status bt_nifti_parse(const char *path, bt_nifti_header *header)
{
    bt_status status = BT_OK;
    const layout *const l = layout_of(header);
    const char *const magic = (const char *)header->bytes + l->magic;
    const bool wide = header->size == BT_NIFTI_2_SIZE;
    header->swap = get_int(header, 0, 4) != (int64_t)header->size; /* swap is still false here */
    header->info.version = wide ? 2 : 1;
    BT_CHECK(memcmp(magic, "ni1", 4) != 0 && memcmp(magic, "ni2", 4) != 0, BT_ERR_INPUT,
             "%s: is the header of a .hdr/.img pair; convert it to one .nii or .nii.gz file", path);
    BT_CHECK(wide ? !memcmp(magic, "n+2\0\r\n\032\n", 8) : !memcmp(magic, "n+1", 4), BT_ERR_INPUT,
             "%s: expected NIfTI, found a header without its magic (Analyze 7.5?); convert it to .nii", path);
    BT_TRY(parse_shape(path, header));
    BT_TRY(parse_type(path, header));
    BT_TRY(parse_values(path, header));
    parse_spacing(header);
cleanup:
    return status;
}

void bt_nifti_make_map(bt_nifti_header *header, size_t *offset)
{
    enum { FLOAT32 = 16 };
    const layout *const l = layout_of(header);
    put_int(header, l->dim, l->dim_size, 3);
    for (size_t i = 4; i < 8; ++i) put_int(header, l->dim + i * l->dim_size, l->dim_size, 1);
    put_int(header, l->datatype, 2, FLOAT32);
    put_int(header, l->bitpix, 2, 8 * (int64_t)sizeof(float));
    put_real(header, l->slope, 1);
    put_real(header, l->intercept, 0);
    *offset = header->size + 4; /* the 4 bytes that say: no extension */
    if (l->real_size == 8)
        put_int(header, l->offset, 8, (int64_t)*offset);
    else
        put_real(header, l->offset, (double)*offset);
}
