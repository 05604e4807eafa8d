/* Sanitizer builds only: takes the place of dlclose, so that what was loaded stays and leak reports can name it. */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
