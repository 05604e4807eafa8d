#include "cli/command.h"

#include "device/device.h"

int bt_version_command(int n_word, char **words)
{
    (void)n_word;
    (void)words;
    bt_status status = BT_OK;
    bt_device *device = NULL;
    char text[1024];
    (void)printf("braintune %s\n", BRAINTUNE_VERSION);
    BT_TRY(bt_device_create(BT_DEVICE_CPU, &device));
    BT_TRY(bt_device_describe(device, text, sizeof text));
    (void)printf("%s\n", text);
cleanup:
    bt_device_destroy(&device);
    return bt_exit_code(status);
}
