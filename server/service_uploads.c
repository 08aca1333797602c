/* service_uploads.c - what became of uploads, for api/. */
#include <stdio.h>

#include "service_data.h"
#include "uploads.h"

uint64_t service_data_upload_begin(struct service_data *data, const char *request, uint64_t offset,
				   uint64_t requested)
{
	struct service_upload upload = {.offset = offset, .requested = requested};

	(void)snprintf(upload.request, sizeof upload.request, "%s", request);
	return uploads_begin(data->service->uploads, data->id, &upload);
}

void service_data_upload_note(struct service_data *data, uint64_t number, uint64_t written,
			      const char *outcome)
{
	uploads_note(data->service->uploads, data->id, number, written, outcome);
}

size_t service_data_uploads(const struct service_data *data,
			    struct service_upload ret_list[SERVICE_UPLOADS])
{
	return uploads_list(data->service->uploads, data->id, ret_list);
}
