/* handlers.h - what the rows of the route table name; each function is in the file it begins with.
 */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "routes.h"

route_fn index_root, index_v1, index_problem, index_problems, index_openapi;
route_fn health_live, health_ready;
route_fn images_get, images_delete, images_chain;
route_fn list_images, list_children;
route_fn adopt_file; /* of create_image, when there is a source */
route_fn create_image, create_snapshot, create_named;
route_fn update_image, update_freeze, update_thaw, update_recover;
route_fn file_fields, file_layout;
route_fn pools_list, pools_get;
route_fn read_data;
route_fn write_begin, write_end, write_flush;
route_fn patch_data;
route_fn options_data;
route_fn sectors_locate, sectors_runs;
route_fn lookup_sectors;
route_fn extents_get;

bool read_prepare(struct api_call *call);
bool write_prepare(struct api_call *call);
bool patch_body(struct api_call *call);
bool update_prepare(struct api_call *call);
bool write_piece(struct api_call *call, const void *data, size_t len);

#endif
