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

enum service_code service_image_uploads(struct service *service, const char *ref,
					struct service_upload ret_list[SERVICE_UPLOADS],
					size_t *ret_n, struct service_error *err)
{
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	if (code == SERVICE_OK)
		*ret_n = uploads_list(service->uploads, id, ret_list);
	return code;
}
