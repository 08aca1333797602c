# The tests of api/ see its private headers, and answer service.h themselves.
# But for digests, which are those of the daemon.
add_library(test_api OBJECT api_client.c fake_service.c "${PROJECT_SOURCE_DIR}/server/digest.c"
			    "${PROJECT_SOURCE_DIR}/server/service_digest.c")
target_include_directories(
	test_api PUBLIC "${PROJECT_SOURCE_DIR}/api" "${CMAKE_CURRENT_SOURCE_DIR}"
			"${PROJECT_SOURCE_DIR}/tests/support")
target_link_libraries(test_api PUBLIC vhd_api PkgConfig::jansson PkgConfig::gnutls cmocka PRIVATE house)

foreach(part accept adopt call data date digest file gate http images list openapi problem range sectors text update)
	vhd_unit_test(test_api_${part} test_api_${part}.c LIBS test_api)
endforeach()
vhd_unit_test(test_api_memory test_api_memory.c LIBS test_api test_alloc_fault)
